{{/* Name of everything. */}}
{{- define "idmill.name" -}}
{{- if contains "idmill" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-idmill" (.Release.Name | trunc 43 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* Labels that never change, for selectors: (dict "root" $ "component" "worker"). */}}
{{- define "idmill.selector" -}}
app.kubernetes.io/name: idmill
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "idmill.labels" -}}
{{ include "idmill.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "idmill.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "idmill.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "idmill.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The settings that the chart knows better than a person: what belongs together in the pod and in the process. */}}
{{- define "idmill.computed" -}}
{{- $v := .Values }}
worker:
  listen: 0.0.0.0:9464
  concurrency: {{ int $v.worker.concurrency }}
  job_budget: {{ int $v.worker.jobBudgetSeconds }}s
  drain_timeout: {{ include "idmill.drainSeconds" . }}s
api:
  listen: 0.0.0.0:8080
  drain_timeout: {{ int $v.api.drainSeconds }}s
  {{- if $v.secrets.apiKeys.name }}
  keys_file: /run/secrets/idmill/apiKeys/{{ $v.secrets.apiKeys.key }}
  {{- end }}
telemetry:
  log_format: json
{{- if or $v.secrets.brokerUrl.name $v.secrets.brokerCa.name }}
broker:
  {{- with $v.secrets.brokerUrl }}{{ if .name }}
  url_file: /run/secrets/idmill/brokerUrl/{{ .key }}
  {{- end }}{{ end }}
  {{- with $v.secrets.brokerCa }}{{ if .name }}
  ca_file: /run/secrets/idmill/brokerCa/{{ .key }}
  {{- end }}{{ end }}
{{- end }}
{{- with $v.secrets.s3Credentials }}{{ if .name }}
storage:
  credentials_file: /run/secrets/idmill/s3Credentials/{{ .key }}
{{- end }}{{ end }}
{{- with $v.secrets.remoteSecret }}{{ if .name }}
reader:
  remote:
    secret_file: /run/secrets/idmill/remoteSecret/{{ .key }}
{{- end }}{{ end }}
{{- end }}

{{/* Time after SIGTERM in which jobs in flight finish: the longest job, and time to publish and settle it. */}}
{{- define "idmill.drainSeconds" -}}
{{ add (int .Values.worker.jobBudgetSeconds) 30 }}
{{- end }}

{{/* Time until the kubelet kills: more than the drain, for it should never come to that. */}}
{{- define "idmill.graceSeconds" -}}
{{ add (include "idmill.drainSeconds" . | int) 15 }}
{{- end }}

{{/*
Settings as given and as computed, for one component: those of the workers do not replace the API's pods, nor the other way round.
(dict "root" $ "component" "worker" "engines" 1).
*/}}
{{- define "idmill.settings" -}}
{{- $given := .root.Values.settings }}
{{- $computed := include "idmill.computed" .root | fromYaml }}
{{- range $section, $keys := $computed }}{{ range $key, $value := $keys }}
{{- if and (kindIs "map" (get $given $section)) (not (kindIs "map" $value)) (hasKey (get $given $section) $key) }}
{{- fail (printf "settings.%s.%s is computed by the chart: set the value that it comes from (secrets.*, worker.*, api.*)" $section $key) }}
{{- end }}{{ end }}{{ end }}
{{- $settings := mergeOverwrite (deepCopy $given) $computed (dict "engine" (dict "instances" .engines)) }}
{{- toJson (eq .component "api" | ternary (pick $settings "api" "engine" "privacy" "telemetry") (omit $settings "api")) }}
{{- end }}

{{/* One value as a variable has it: whole numbers stay whole, and the kubelet takes `$$` for `$`. */}}
{{- define "idmill.variable" -}}
{{- if kindIs "float64" . }}{{ eq (floor .) . | ternary (int64 . | toString) (toString .) }}
{{- else if kindIs "slice" . }}{{ join "," . | replace "$" "$$" }}
{{- else }}{{ toString . | replace "$" "$$" }}{{ end }}
{{- end }}

{{/* A map of settings as variables, but for those that extraEnv has: (dict "name" "IDMILL" "content" MAP "given" (list NAME...)). */}}
{{- define "idmill.variables" -}}
{{- range $key, $value := .content }}
{{- $name := printf "%s__%s" $.name (upper $key) }}
{{- if kindIs "map" $value }}
{{- include "idmill.variables" (dict "name" $name "content" $value "given" $.given) }}
{{- else if not (has $name $.given) }}
- {name: {{ $name }}, value: {{ include "idmill.variable" $value | toJson }}}
{{- end }}
{{- end }}
{{- end }}

{{/*
Alert rules or dashboard, for this release alone: (dict "root" $ "text" TEXT "quote" "\""). Every series of idmill's and of its
processes by namespace and pod, every queue by its prefix. The broker may be anywhere.
*/}}
{{- define "idmill.scoped" -}}
{{- $prefix := (.root.Values.settings.topology | default dict).prefix | default "idmill" }}
{{- $pods := printf "%s-(worker|api)-.+" (include "idmill.name" .root) }}
{{- $own := printf "namespace=%s%s%s,pod=~%s%s%s" .quote .root.Release.Namespace .quote .quote $pods .quote }}
{{- $text := regexReplaceAll "\\b((?:idmill|messaging|process)_[a-z_]+)\\{" .text (printf "${1}{%s," $own) }}
{{- $text = regexReplaceAll "\\b((?:idmill|messaging)_[a-z_]+)([^a-z_{])" $text (printf "${1}{%s}${2}" $own) }}
{{- $text | replace (printf "queue=%sidmill." .quote) (printf "queue=%s%s." .quote $prefix) | replace (printf "queue=~%sidmill[.]" .quote) (printf "queue=~%s%s[.]" .quote $prefix) }}
{{- end }}

{{/* Memory for N engines: measured, deploy/capacity.md has the figures. */}}
{{- define "idmill.resources" -}}
{{- if .given }}{{ toYaml .given }}{{ else -}}
{{- $memory := printf "%dMi" (add 256 (mul 256 .engines)) -}}
requests:
  cpu: {{ .engines | int | quote }}
  memory: {{ $memory }}
limits:
  memory: {{ $memory }}
{{- end }}
{{- end }}

{{/* Secrets of a pod: (dict "root" $ "names" (list ...)). */}}
{{- define "idmill.secretMounts" -}}
{{- range .names }}{{ if (get $.root.Values.secrets .).name }}
- name: {{ . | kebabcase }}
  mountPath: /run/secrets/idmill/{{ . }}
  readOnly: true
{{- end }}{{ end }}
{{- end }}

{{- define "idmill.secretVolumes" -}}
{{- range $name := .names }}{{ $secret := get $.root.Values.secrets $name }}{{ if $secret.name }}
- name: {{ $name | kebabcase }}
  secret:
    secretName: {{ $secret.name }}
    # Kubernetes' default; podman 4.3 ends with a panic where it is not written.
    optional: false
    # For the group that fsGroup gives the pod.
    defaultMode: 288
    items: [{key: {{ $secret.key | quote }}, path: {{ $secret.key | quote }}}]
{{- end }}{{ end }}
{{- end }}

{{/* What worker and API have in common: a pod's metadata and all that is not its one container. */}}
{{- define "idmill.podMetadata" -}}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
labels:
  {{- include "idmill.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "idmill.podSpec" -}}
serviceAccountName: {{ include "idmill.serviceAccount" .root }}
# Nothing here talks to Kubernetes. A cloud's identity brings a token of its own.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "idmill.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- $own := eq .component "api" | ternary .root.Values.api .root.Values.worker }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $own $key | default (get $.root.Values $key) }}
{{ $key }}: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
{{- $secrets := include "idmill.secretVolumes" . | trim }}
{{- if or $secrets .root.Values.extraVolumes }}
volumes:
  {{- with $secrets }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "idmill.container" -}}
image: {{ include "idmill.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities: {drop: [ALL]}
# The settings stand here and in no ConfigMap, so that a pod that restarts while it is being replaced keeps its own, and an update that is
# undone takes its settings with it.
env:
  {{- $given := list }}
  {{- range .root.Values.extraEnv }}{{ $given = append $given .name }}{{ end }}
  {{- include "idmill.variables" (dict "name" "IDMILL" "content" (include "idmill.settings" . | fromJson) "given" $given) | trim | nindent 2 }}
  {{- with .env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $secrets := include "idmill.secretMounts" . | trim }}
{{- if or $secrets .root.Values.extraVolumeMounts }}
volumeMounts:
  {{- with $secrets }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
resources:
  {{- include "idmill.resources" (dict "given" .resources "engines" .engines) | nindent 2 }}
{{- end }}

{{/* Probes of what serves /livez and /readyz. */}}
{{- define "idmill.probes" -}}
# The weights are loaded before it listens.
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  failureThreshold: 60
# That the process answers, and nothing else: to restart pods because RabbitMQ is down makes an outage worse.
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# That it takes work. No traffic hangs on it for a worker, but a rolling update stops at pods that never take a job.
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

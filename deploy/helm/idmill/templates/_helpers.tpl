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

{{/* One TOML value; whole numbers stay whole, which Helm's own toToml does not promise. */}}
{{- define "idmill.tomlValue" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "idmill.tomlValue" $item }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{/* A section: (dict "name" "worker" "content" MAP); sections in it come after its keys. */}}
{{- define "idmill.tomlSection" }}
[{{ .name }}]
{{- range $key, $value := .content }}{{ if not (kindIs "map" $value) }}
{{ $key }} = {{ include "idmill.tomlValue" $value }}
{{- end }}{{ end }}
{{- $name := .name }}
{{- range $key, $value := .content }}{{ if kindIs "map" $value }}
{{ include "idmill.tomlSection" (dict "name" (printf "%s.%s" $name $key) "content" $value) }}
{{- end }}{{ end }}
{{- end }}

{{/* Settings as given and as computed. */}}
{{- define "idmill.settings" -}}
{{- toJson (mergeOverwrite (deepCopy .Values.settings) (include "idmill.computed" . | fromYaml)) }}
{{- end }}

{{/* What of them a component looks at: those of the workers do not replace the API's pods, nor the other way round. */}}
{{- define "idmill.usedSettings" -}}
{{- $settings := include "idmill.settings" .root | fromJson }}
{{- toJson (eq .component "api" | ternary (pick $settings "api" "engine" "privacy" "telemetry") (omit $settings "api")) }}
{{- end }}

{{- define "idmill.toml" -}}
{{- $computed := include "idmill.computed" . | fromYaml }}
{{- range $section, $keys := $computed }}{{ range $key, $value := $keys }}
{{- if and (kindIs "map" (get $.Values.settings $section)) (not (kindIs "map" $value)) (hasKey (get $.Values.settings $section) $key) }}
{{- fail (printf "settings.%s.%s is computed by the chart: set the value that it comes from (secrets.*, worker.*, api.*)" $section $key) }}
{{- end }}{{ end }}{{ end }}
{{- range $section, $keys := include "idmill.settings" . | fromJson }}
{{- include "idmill.tomlSection" (dict "name" $section "content" $keys) }}
{{ end }}
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
annotations:
  # A change of the settings replaces the pods that use them.
  checksum/settings: {{ include "idmill.usedSettings" . | sha256sum }}
  {{- with .annotations }}
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
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
volumes:
  - name: settings
    configMap:
      name: {{ include "idmill.name" .root }}
  {{- with include "idmill.secretVolumes" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
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
env:
  - {name: IDMILL_CONFIG, value: /etc/idmill/idmill.toml}
  - {name: IDMILL__ENGINE__INSTANCES, value: {{ .engines | int | quote }}}
  {{- with .env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/idmill, readOnly: true}
  {{- with include "idmill.secretMounts" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
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

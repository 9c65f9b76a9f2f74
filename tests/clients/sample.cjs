// The sample client of the hosted API's documentation, as it stands there but for the URL: Node with axios.
// Usage: node sample.cjs URL TOKEN camel|lower FRONT [BACK]; prints the status and the JSON.
const axios = require("axios");
const fs = require("fs");

const [url, token, spelling, front, back] = process.argv.slice(2);
const convertToBase64 = (path) => `data:image/jpeg;base64,${fs.readFileSync(path).toString("base64")}`;
const [frontKey, backKey] = spelling === "lower" ? ["frontpart", "backpart"] : ["frontPart", "backPart"];

axios
  .post(
    url,
    { [frontKey]: convertToBase64(front), [backKey]: convertToBase64(back || front) },
    { headers: { Authorization: token, "Content-Type": "application/json" } },
  )
  .then((response) => console.log(JSON.stringify({ status: response.status, data: response.data })))
  .catch((error) => {
    if (!error.response) throw error;
    console.log(JSON.stringify({ status: error.response.status, data: error.response.data }));
  });

// Reads bodies as servers in JavaScript do: a list of {type, body} on stdin, values on stdout.
const FAILED = "(failed)";

function byName(pairs) {
  const found = {};
  for (const [name, value] of pairs) {
    if (typeof value === "string") (found[name] ??= []).push(value);
  }
  return found;
}

async function read(type, body) {
  const kind = type.split(";")[0].trim().toLowerCase();
  if (kind === "application/x-www-form-urlencoded") return byName(new URLSearchParams(body.toString()));
  if (kind === "multipart/form-data") {
    return byName(await new Response(body, { headers: { "content-type": type } }).formData());
  }
  return JSON.parse(body.toString());
}

let text = "";
process.stdin.on("data", (piece) => { text += piece; });
process.stdin.on("end", async () => {
  const answers = [];
  for (const { type, body } of JSON.parse(text)) {
    answers.push(await read(type, Buffer.from(body, "base64")).catch(() => FAILED));
  }
  process.stdout.write(JSON.stringify(answers));
});

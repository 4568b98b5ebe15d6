// Requests as code to copy. Pure: values in, text out.
// A request here is {method, url, headers: [[name, value], ...], body: text or null, cookies}.

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

// One word of a POSIX shell, whatever is in it.
export function shellQuoted(text) {
  if (PLAIN.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// The request as a curl command, one option a line. -i shows the head, -N streams.
export function curlOf({ method, url, headers, body }) {
  const words = [["curl", "-iN", url]];
  const usual = body === null ? "GET" : "POST";
  if (method === "HEAD") words.push(["--head"]);
  else if (method !== usual) words.push(["-X", method]);
  // In a URL curl takes [a-z] and {a,b} for a pattern.
  if (/[[\]{}]/.test(url)) words.push(["--globoff"]);
  for (const [name, value] of headers) {
    // "Name:" alone would remove a header; "Name;" sends it empty.
    words.push(["-H", value === "" ? `${name};` : `${name}: ${value}`]);
  }
  // Not -d and not --data: a body may begin with @, which they take for a file's name.
  if (body !== null) words.push(["--data-raw", body]);
  return words.map((line) => line.map(shellQuoted).join(" ")).join(" \\\n  ");
}

const indented = (text) => text.replaceAll("\n", "\n  ");

function headersCode(headers) {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const repeated = names.size < headers.length;
  const value = repeated ? headers : Object.fromEntries(headers);
  return indented(JSON.stringify(value, null, 2));
}

// A body that is JSON reads better as an object; only if nothing of it is lost on the way.
function bodyCode(body) {
  try {
    const parsed = JSON.parse(body);
    const same = [JSON.stringify(parsed), JSON.stringify(parsed, null, 2)].includes(body.trim());
    if (same && typeof parsed === "object" && !body.includes("__proto__")) {
      return `JSON.stringify(${indented(JSON.stringify(parsed, null, 2))})`;
    }
  } catch {
    // Text: a string literal is all it can be.
  }
  return JSON.stringify(body);
}

// The request as JavaScript for a page or a console with top-level await.
export function fetchOf({ method, url, headers, body, cookies }) {
  const lines = [`  method: ${JSON.stringify(method)},`];
  if (headers.length) lines.push(`  headers: ${headersCode(headers)},`);
  if (body !== null) lines.push(`  body: ${bodyCode(body)},`);
  if (cookies) lines.push('  credentials: "include",');
  return [
    `const response = await fetch(${JSON.stringify(url)}, {`,
    ...lines,
    "});",
    "console.log(response.status, await response.text());",
  ].join("\n");
}

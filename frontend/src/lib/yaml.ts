/** Plain data as YAML, enough for specs: maps, lists, numbers, strings, booleans, null. */

const PLAIN = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
const WORDS = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"]);

function scalar(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : ".nan";
  if (typeof value === "boolean") return String(value);
  const text = String(value);
  return PLAIN.test(text) && !WORDS.has(text.toLowerCase()) ? text : JSON.stringify(text);
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (isMap(value)) return `{${Object.entries(value).map(([key, item]) => `${scalar(key)}: ${flow(item)}`).join(", ")}}`;
  return scalar(value);
}

/** Block style for maps, flow style for lists. */
export function toYaml(value: Record<string, unknown>, indent = ""): string {
  let text = "";
  for (const [key, item] of Object.entries(value)) {
    if (isMap(item) && Object.keys(item).length > 0) text += `${indent}${scalar(key)}:\n${toYaml(item, `${indent}  `)}`;
    else text += `${indent}${scalar(key)}: ${flow(item)}\n`;
  }
  return text;
}

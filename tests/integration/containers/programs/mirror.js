// Reads the description of all inputs, and writes each output from what it says; files and directories are copied.
const fs = require("node:fs");
const path = require("node:path");

const FILES = new Set(["file", "folder", "files", "table", "raw"]);
const [from, to, ...names] = process.argv.slice(2);
const inputs = JSON.parse(fs.readFileSync(path.join(from, "inputs.json"), "utf8"));

for (const name of names) {
  const value = inputs[name];
  if (FILES.has(name)) {
    fs.cpSync(path.join(from, name), path.join(to, name), { recursive: true });
  } else {
    fs.writeFileSync(path.join(to, name), typeof value === "string" ? value : JSON.stringify(value));
  }
}

export { runApp } from "./run-app.ts";
export { defineCommand } from "./command.ts";

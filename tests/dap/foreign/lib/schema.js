// The protocol's schema, made at test time from the types that @vscode/debugprotocol ships.
"use strict";
const Ajv = require("ajv");
const TJS = require("typescript-json-schema");

// The only numbers of the protocol that are not integers.
const fractions = new Set(["percentage"]);

// What the specification gained after the newest published @vscode/debugprotocol (1.68): allowed, not demanded.
const newer = {
  "DebugProtocol.Capabilities": { supportsANSIStyling: { type: "boolean" } },
};

// TypeScript knows `number`, the protocol means integers nearly everywhere.
function sharpen(schema, name = "") {
  if (Array.isArray(schema)) return schema.map((part) => sharpen(part, name));
  if (schema === null || typeof schema !== "object") return schema;
  const result = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "type" && !fractions.has(name)) {
      const integers = (type) => (type === "number" ? "integer" : type);
      result.type = Array.isArray(value) ? value.map(integers) : integers(value);
    } else if (key === "properties") {
      result.properties = Object.fromEntries(Object.entries(value).map(([child, part]) => [child, sharpen(part, child)]));
    } else {
      result[key] = sharpen(value, key === "items" ? "" : name);
    }
  }
  return result;
}

class ProtocolSchema {
  constructor() {
    const types = require.resolve("@vscode/debugprotocol/lib/debugProtocol.d.ts");
    const program = TJS.getProgramFromFiles([types], { strictNullChecks: true, types: [] });
    // noExtraProps: a key that the protocol does not know is a misspelt one.
    this.generator = TJS.buildGenerator(program, { required: true, noExtraProps: true, strictNullChecks: true, ignoreErrors: true }, [types]);
    this.known = new Set(this.generator.getUserSymbols());
    this.ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    this.validators = new Map();
  }

  // Why `message` is not what the protocol says; empty: it is. `command` is the one of the request that it answers.
  complaints(message, command) {
    const type = this.typeOf(message, command);
    if (!this.known.has(type)) return [`the protocol has no ${type.replace("DebugProtocol.", "")}`];
    const validate = this.validator(type);
    if (validate(message)) return [];
    return validate.errors.map((e) => `${type}${e.instancePath}: ${e.message} ${JSON.stringify(e.params)}`);
  }

  typeOf(message, command) {
    const name = (word) => word.charAt(0).toUpperCase() + word.slice(1);
    switch (message.type) {
      case "event":
        return `DebugProtocol.${name(String(message.event))}Event`;
      case "request":
        return `DebugProtocol.${name(String(message.command))}Request`;
      case "response":
        return message.success ? `DebugProtocol.${name(String(command))}Response` : "DebugProtocol.ErrorResponse";
      default:
        return `message of type ${message.type}`;
    }
  }

  validator(type) {
    if (!this.validators.has(type)) {
      const schema = sharpen(this.generator.getSchemaForSymbol(type));
      for (const [owner, properties] of Object.entries(newer)) {
        const target = type === owner ? schema : schema.definitions?.[owner];
        if (target) Object.assign(target.properties, properties);
      }
      this.validators.set(type, this.ajv.compile(schema));
    }
    return this.validators.get(type);
  }
}

let shared;
exports.protocolSchema = () => (shared ??= new ProtocolSchema());

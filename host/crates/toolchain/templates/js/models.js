// Models for stages in JavaScript: for the world `llm-stage`, with `grants = ["llm"]` in the pipeline file. Experimental.

import { chat as ask } from "gristmill:stage/llm@0.2.2";

import { permanent, rateLimited, retryable } from "./gristmill.js";

/** Asks a model that the pipeline file calls by the alias `model`, and returns its answer: text, or with a `schema` the JSON
 * value, which the host has checked. Other fields are those of `request` in wit/llm.wit, such as `temperature`. An error of
 * the model becomes the stage's, each the one that fits: do not catch it to try again. */
export function chat(user, { system, schema, ...more } = {}) {
  const messages = [["system", system], ["user", user]].filter(([, text]) => text !== undefined);
  const request = {
    messages: messages.map(([role, text]) => ({ role, content: [{ tag: "text", val: text }] })),
    format: schema ? { tag: "json-schema", val: { name: "answer", schemaJson: JSON.stringify(schema) } } : { tag: "text" },
    stop: [],
    options: [],
    ...more,
  };
  let text;
  try {
    text = ask(request).text;
  } catch (error) {
    throw ofModel(error.payload ?? error);
  }
  return schema ? JSON.parse(text) : text;
}

/** What an error of a model is for the stage: as wit/llm.wit says. */
export function ofModel({ tag, val }) {
  switch (tag) {
    case "rate-limited":
      return rateLimited("llm-rate-limited", val.message, val.retryAfter);
    case "unavailable":
      return retryable("llm-unavailable", val.message, val.retryAfter);
    case "timeout":
      return retryable("llm-timeout", val);
    case "context-length-exceeded":
      return permanent("llm-context-length-exceeded", val.message);
    case "content-filtered":
      return permanent("llm-content-filtered", val);
    case "invalid-output":
      return permanent("llm-invalid-output", val.problems.join("; "));
    case "invalid-request":
      return permanent("llm-invalid-request", val);
    case "denied":
      return permanent("llm-denied", val);
    case "budget-exhausted":
      return val.scope === "job"
        ? permanent("llm-budget-exhausted", val.message)
        : rateLimited("llm-budget-exhausted", val.message);
    case "misconfigured":
      return rateLimited("llm-misconfigured", val);
    default:
      return retryable("llm-failed", String(val));
  }
}

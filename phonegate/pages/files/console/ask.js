// Asks the gateway on behalf of the person who has signed in.

import { closed, sessionEnded } from "./session.js";

const { root, csrf } = document.body.dataset;

/** An answer that is an error of the gateway: `code`, `detail` and the wrong fields. */
export class Refused extends Error {
  constructor(status, content) {
    super(content.detail || "The gateway refused it.");
    this.status = status;
    this.code = content.code;
    this.detail = this.message;
    this.errors = content.errors || [];
  }
}

/** The gateway did not answer: there is no network, or it restarts. */
class Unreachable extends Error {}

const SIGNED_OUT = { detail: "Your session has ended. Sign in again." };

/** Returns the address of a page below the console. */
export function address(path) {
  return `${root}${path}`;
}

/**
 * Asks, and returns the answer: parsed where it is JSON, else its text.
 * `form` is a FormData, an HTMLFormElement or an object of fields. Once the session has ended, it is
 * refused as the gateway would refuse it (401), without a request.
 */
export async function ask(path, { method = "GET", form = null } = {}) {
  if (closed.aborted) throw new Refused(401, SIGNED_OUT);
  const headers = { "X-Console": "script", "X-Csrf": csrf };
  let body;
  if (form instanceof HTMLFormElement) form = new FormData(form);
  if (form instanceof FormData) body = form;
  else if (form) body = new URLSearchParams(form);
  let response;
  let isJson;
  let content;
  try {
    response = await fetch(path.startsWith(root) ? path : address(path), {
      method, headers, body, signal: closed, credentials: "same-origin", redirect: "follow",
    });
    isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
    content = isJson ? await response.json() : await response.text();
  } catch {
    if (closed.aborted) throw new Refused(401, SIGNED_OUT);
    throw new Unreachable("The gateway does not answer.");
  }
  if (response.ok) return content;
  if (response.status === 401) sessionEnded();
  throw new Refused(response.status, isJson ? content : { detail: `The gateway answered ${response.status}.` });
}

/** Makes elements of a part of a page that the gateway has made. */
export function elements(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

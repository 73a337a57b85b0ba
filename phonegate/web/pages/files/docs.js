"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

const place = document.getElementById("docs");

// "Try it out" calls the gateway by the address that this page came from: it may have a public
// one beside it, which this browser's page may not call.
const toThisHost = (request) => {
  const url = new URL(request.url, window.location.href);
  request.url = window.location.origin + url.pathname + url.search;
  return request;
};

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  requestInterceptor: toThisHost,
  // No validator of somebody else's host is asked about this document.
  validatorUrl: null,
});

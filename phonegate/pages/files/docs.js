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

// Values of examples stand in for what a call needs, and are not what the reader asks for: a
// filter that nobody chose would hide messages.
const withoutOptionalExamples = (document_) => {
  for (const path of Object.values(document_.paths ?? {})) {
    for (const operation of Object.values(path)) {
      for (const parameter of operation.parameters ?? []) {
        if (!parameter.required) {
          delete parameter.example;
          delete parameter.examples;
        }
      }
    }
  }
  return document_;
};
const UnchosenLeftEmpty = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (document_) => update(withoutOptionalExamples(document_)),
      },
    },
  },
});

// Opens what the address names. Swagger UI's own way takes each "_" of a name for an old link's
// blank and complains of it; operations here are named in snake case.
const LinksAsWritten = () => ({
  statePlugins: {
    layout: {
      wrapActions: {
        parseDeepLinkHash: (_, { layoutActions, layoutSelectors }) => (hash) => {
          const parts = hash.replace(/^#!?\/?/, "").split("/");
          if (!parts[0]) return;
          const shown = layoutSelectors.isShownKeyFromUrlHashArray(parts);
          if (shown[0] === "operations") {
            layoutActions.show(layoutSelectors.isShownKeyFromUrlHashArray([shown[1]]), true);
          }
          layoutActions.show(shown, true);
          layoutActions.scrollTo(shown);
          layoutActions.scrollToVirtualizedOperation(shown);
        },
      },
    },
  },
});

// "Authorize" begins at its first place, the header. Swagger UI puts the cursor into the last.
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const added of change.addedNodes) {
      const places = added.querySelector?.(".modal-ux-content");
      if (!places) continue;
      places.querySelector("input")?.focus({ preventScroll: true });
      places.scrollTop = 0;
    }
  }
}).observe(place, { childList: true, subtree: true });

SwaggerUIBundle({
  plugins: [UnchosenLeftEmpty, LinksAsWritten],
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

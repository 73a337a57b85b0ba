// What happens, as it happens: the events of the org, from one stream.

const { live } = document.body.dataset;
let lost = false;

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`phonegate:${name}`, { detail }));
}

function take(message) {
  tell("event", JSON.parse(message.data));
}

function follow() {
  const source = new EventSource(live);
  source.addEventListener("open", () => {
    if (lost) tell("back");
    lost = false;
  });
  source.addEventListener("error", () => {
    if (!lost) tell("lost");
    lost = true;
  });
  source.addEventListener("gap", () => tell("gap"));
  source.addEventListener("message", take);
}

if (live) follow();

// Security keys: registering one, and confirming a decision with one. A button with `data-step-up="<digest>"` sends its
// form only after a key confirmed that digest; a form with `data-register-key` carries the answer of a new key.

const fields = (form, more) => new URLSearchParams({ csrf: form.elements.csrf.value, ...more });

function say(form, text, tone) {
  const place = form.querySelector("[data-key-status]");
  place.className = `notice ${tone}`;
  place.setAttribute("role", tone === "bad" ? "alert" : "status");
  place.textContent = text;
  place.hidden = !text;
}

function inPlainWords(error) {
  switch (error.name) {
    case "NotAllowedError": return "Nothing was done: the security key did not answer in time, or it was cancelled. Press the button to try again.";
    case "InvalidStateError": return "This security key is registered already.";
    case "SecurityError": return "The browser lets no page use security keys at this address.";
    case "TypeError":
    case "ReferenceError": return "Nothing was done: the console did not answer, or this browser is too old for security keys.";
    default: return error.message;
  }
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body, headers: { accept: "application/json" } });
  if (!(answer.headers.get("content-type") || "").includes("json")) {
    throw new Error("Nothing was done: your session has ended or this page is too old. Reload it; what you typed is kept.");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(`Nothing was done. ${said.detail} ${said.next}`);
  return said;
}

async function confirm(form, digest) {
  const { step_up_id, options } = await post("/step-up", fields(form, { digest }));
  const answer = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  await post(`/step-up/${step_up_id}`, fields(form, { answer: JSON.stringify(answer) }));
  form.elements.step_up.value = step_up_id;
}

async function register(form) {
  const { step_up_id, options } = await post("/account/keys/options", fields(form, {}));
  const answer = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  form.elements.answer.value = JSON.stringify(answer);
  form.elements.step_up_id.value = step_up_id;
}

// Where the key has answered, the form goes to the server; else it waits for the key.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  const digest = button?.dataset.stepUp;
  if (!digest && form.dataset.registerKey === undefined) return;
  const answered = form.elements[digest ? "step_up" : "answer"];
  if (answered.value && !form.dataset.sent) {
    form.dataset.sent = "yes";
    return;
  }
  event.preventDefault();
  if (form.dataset.busy || form.dataset.sent) return;
  form.dataset.busy = "yes";
  say(form, "Confirm with your security key now: touch it, and enter its PIN or use your finger or face if it asks.", "busy");
  try {
    await (digest ? confirm(form, digest) : register(form));
    say(form, "", "busy");
    form.requestSubmit(button);
  } catch (error) {
    say(form, inPlainWords(error), "bad");
  } finally {
    delete form.dataset.busy;
  }
});

// Keys belong to one address; at another one (127.0.0.1 for localhost) the browser would only say no.
function lookAtAddress() {
  for (const place of document.querySelectorAll("[data-key-origin]")) {
    const elsewhere = place.dataset.keyOrigin !== location.origin;
    place.hidden = !elsewhere;
    if (elsewhere) for (const button of document.querySelectorAll("[data-step-up], [data-register-key] button")) button.disabled = true;
  }
}

lookAtAddress();
document.addEventListener("htmx:oobAfterSwap", lookAtAddress);

// A page that comes back out of the browser's memory starts anew.
addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });

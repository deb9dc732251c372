// Approves with a passkey: the gateway says what is to be signed, the authenticator signs it, and the form carries it.
// Without this file the form is sent as it is, and the vote is proved by the login alone.
"use strict";

(() => {
  const form = document.getElementById("approve");
  if (!form || !window.PublicKeyCredential) return;
  const status = document.getElementById("vote-status");
  const buttons = [...form.querySelectorAll("button")];
  const able = (yes) => buttons.forEach((button) => { button.disabled = !yes; });

  // What was chosen is said by the button that was pressed, and a form that is sent from here has none.
  function choose(button) {
    form.querySelector("input[name=retry]")?.remove();
    if (!button?.name) return;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: button.name, value: button.value });
    form.append(field);
  }

  async function proof(button) {
    const chosen = button?.name ? { [button.name]: button.value } : {};
    const fields = { csrf: form.csrf.value, verdict: "approve", reason: form.reason.value, ...chosen };
    const asked = await Passkey.post(form.dataset.statement, fields);
    if (asked.content !== form.dataset.content) throw new Error("The gateway speaks of another text than this page shows. Load it again.");
    const credential = await navigator.credentials.get({
      publicKey: {
        challenge: Passkey.bytes(asked.challenge),
        rpId: asked.rp_id,
        allowCredentials: asked.passkeys.map((id) => ({ type: "public-key", id: Passkey.bytes(id) })),
        userVerification: "required",
        timeout: 120000,
      },
    });
    return JSON.stringify({
      kind: "webauthn",
      credential: Passkey.text(credential.rawId),
      authenticator_data: Passkey.text(credential.response.authenticatorData),
      client_data: Passkey.text(credential.response.clientDataJSON),
      signature: Passkey.text(credential.response.signature),
      cast_unix_ns: asked.cast_unix_ns,
    });
  }

  form.addEventListener("submit", async (event) => {
    if (form.proof.value) return;
    event.preventDefault();
    able(false);
    status.textContent = "Confirm with your passkey …";
    try {
      form.proof.value = await proof(event.submitter);
      choose(event.submitter);
      form.submit();
    } catch (error) {
      form.proof.value = "";
      status.textContent = Passkey.words(error);
      able(true);
    }
  });
})();

// Makes a passkey, uses it once so that it is known to work, and shows what the gateway's operator is given.
"use strict";

(() => {
  const form = document.getElementById("enrol");
  if (!form) return;
  const status = document.getElementById("enrol-status");
  if (!window.PublicKeyCredential) {
    status.textContent = "This browser has no passkeys, or the desk is not reached over a secure address.";
    return;
  }
  const { rp, subject, issuer, name } = form.dataset;

  async function made(label) {
    const { challenge } = await Passkey.post("/passkeys/challenge", { csrf: form.csrf.value, label });
    const user = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(issuer + "#" + subject));
    const created = await navigator.credentials.create({
      publicKey: {
        challenge: Passkey.bytes(challenge),
        rp: { id: rp, name: "Doorward" },
        user: { id: user, name: subject, displayName: name },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
        attestation: "none",
        timeout: 120000,
      },
    });
    const used = await navigator.credentials.get({
      publicKey: {
        challenge: Passkey.bytes(challenge),
        rpId: rp,
        allowCredentials: [{ type: "public-key", id: created.rawId }],
        userVerification: "required",
        timeout: 120000,
      },
    });
    return { subject, issuer, label, registration: plain(created), assertion: plain(used) };
  }

  // As PublicKeyCredential.toJSON has it, which not every browser knows.
  function plain(credential) {
    const response = {};
    for (const member of ["clientDataJSON", "attestationObject", "authenticatorData", "signature"]) {
      const value = credential.response[member];
      if (value instanceof ArrayBuffer) response[member] = Passkey.text(value);
    }
    const id = Passkey.text(credential.rawId);
    return { id, rawId: id, type: "public-key", response };
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    status.textContent = "Confirm twice: once to make it, once to see that it works …";
    try {
      const text = JSON.stringify(await made(form.label.value.trim()), null, 1);
      const { fingerprint } = await Passkey.post("/passkeys/check", { csrf: form.csrf.value, rp_id: rp, response: text });
      document.getElementById("enrol-text").value = text;
      document.getElementById("enrol-fingerprint").textContent = fingerprint;
      document.getElementById("enrol-result").hidden = false;
      status.textContent = "The passkey works.";
    } catch (error) {
      status.textContent = Passkey.words(error);
    }
    button.disabled = false;
  });
})();

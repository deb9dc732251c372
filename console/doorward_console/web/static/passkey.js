// What both pages with passkeys need: bytes from and to base64url, and a form sent as data.
"use strict";

const Passkey = {
  bytes(text) {
    const plain = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(plain + "=".repeat((4 - (plain.length % 4)) % 4)), (c) => c.charCodeAt(0));
  },

  text(buffer) {
    let binary = "";
    for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  },

  // Posts fields to a path of the desk; gives what it answers, or throws its words.
  async post(path, fields) {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields), redirect: "error" });
    const document = await answer.json().catch(() => ({ problem: "The desk did not answer as it should. Load the page again." }));
    if (!answer.ok || document.problem) throw new Error(document.problem || "HTTP " + answer.status);
    return document;
  },

  words(error) {
    if (error.name === "NotAllowedError") return "The passkey was not used: it was cancelled, or took too long.";
    if (error.name === "SecurityError") return "This passkey is for another site than this desk.";
    if (error.name === "InvalidStateError") return "This authenticator already holds a passkey for you.";
    return error.message;
  },
};

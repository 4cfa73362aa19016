// Passkeys: asks the server what is to be signed, has the browser sign it, and sends the answer by the form on the page.
"use strict";

(() => {
  const octets = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  async function options(form) {
    const fields = new URLSearchParams({ csrf: form.elements.csrf.value });
    const answer = await fetch(form.dataset.options, { method: "POST", body: fields });
    if (!answer.ok) throw new Error("not begun");
    const asked = await answer.json();
    asked.challenge = octets(asked.challenge);
    if (asked.user) asked.user.id = octets(asked.user.id);
    for (const one of asked.excludeCredentials || []) one.id = octets(one.id);
    return asked;
  }

  function told(credential) {
    const response = { clientDataJSON: text(credential.response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  function fault(form, error) {
    const kinds = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "present" };
    const kind = form.querySelector(`[data-fault="${kinds[error.name]}"]`) ? kinds[error.name] : "failed";
    for (const one of form.querySelectorAll("[data-fault]")) one.hidden = one.dataset.fault !== kind;
  }

  async function begin(event) {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button");
    button.disabled = true;
    for (const one of form.querySelectorAll("[data-fault]")) one.hidden = true;
    try {
      const publicKey = await options(form);
      const making = form.dataset.passkey === "create";
      const credential = await navigator.credentials[making ? "create" : "get"]({ publicKey });
      form.elements.answer.value = told(credential);
      form.submit();
    } catch (error) {
      fault(form, error);
      button.disabled = false;
    }
  }

  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", begin);
    form.hidden = false;
  }
  for (const one of document.querySelectorAll("[data-without-passkeys]")) one.hidden = true;
})();

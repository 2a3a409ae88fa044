"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const show = (id, text) => {
    if (text !== undefined) $(id).textContent = text;
    $(id).hidden = false;
  };
  // What could deceive the eye is shown as its number: all but ASCII and the Latin
  // letters of Europe.
  const visible = (s) => s.replace(/[^\x20-\x7e\u00c0-\u024f]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
  const refuse = (text) => {
    for (const id of ["confirm", "register", "result"]) $(id).hidden = true;
    $("status").textContent = "";
    show("fault", text);
  };

  // The question stands in the address after "#", where no server sees it: members
  // that are known, each once, in the form that it must have.
  const id = /^[A-Za-z0-9_-]{1,1400}$/;
  const forms = {
    rp: (s) => /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(s),
    plan: (s) => /^[0-9a-f]{32}$/.test(s),
    digest: (s) => /^sha256:[0-9a-f]{64}$/.test(s),
    subject: (s) => s === "" || /^credential\.[^\p{C}\p{Zl}\p{Zp}]{1,2000}$/u.test(s),
    user: (s) => s === "required" || s === "preferred",
    keys: (s) => s === "" || s.split(".").every((k) => id.test(k)),
    who: (s) => /^[^\p{C}\p{Zl}\p{Zp}"\\{}]{1,320}$/u.test(s),
    name: (s) => /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/.test(s),
  };
  const questions = {
    confirm: ["rp", "plan", "digest", "subject", "user", "keys"],
    register: ["rp", "who", "name", "keys"],
  };
  const parse = (fragment) => {
    const got = new Map();
    for (const part of fragment.replace(/^#/, "").split("&")) {
      const at = part.indexOf("=");
      const name = part.slice(0, at);
      if (at < 1 || got.has(name)) return null;
      try {
        got.set(name, decodeURIComponent(part.slice(at + 1)));
      } catch {
        return null;
      }
    }
    const names = Object.hasOwn(questions, got.get("remint1")) ? questions[got.get("remint1")] : null;
    if (!names || got.size !== names.length + 1 || !names.every((n) => got.has(n) && forms[n](got.get(n)))) return null;
    if (names === questions.confirm && got.get("keys") === "") return null; // or any key would do
    return Object.fromEntries(got);
  };

  const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const decode = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const sha256 = async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const descriptors = (q) => (q.keys === "" ? [] : q.keys.split(".").map((k) => ({ type: "public-key", id: decode(k) })));

  // challenge follows from what is shown, and from the time: a link cannot show one
  // plan and have another signed.
  const challenge = async (q) => {
    const out = new Uint8Array(40);
    out.set(await sha256("remint.dev/verification/v1\n" + q.plan + "\n" + q.digest + "\n" + q.subject));
    new DataView(out.buffer).setBigUint64(32, BigInt(Math.floor(Date.now() / 1000)));
    return out;
  };

  // canonical is the form of RFC 8785, which plans' digests are of.
  const canonical = (v) => {
    if (Array.isArray(v)) return "[" + v.map(canonical).join(",") + "]";
    if (v === null || typeof v !== "object") return JSON.stringify(v);
    return "{" + Object.keys(v).sort().map((k) => JSON.stringify(k) + ":" + canonical(v[k])).join(",") + "}";
  };
  const readPlan = async (q, file) => {
    $("resets").hidden = true;
    $("resets").replaceChildren();
    $("read").hidden = true;
    $("touch").disabled = !!file;
    if (!file) return;
    let plan = null;
    try {
      if (file.size <= 64 << 20) plan = JSON.parse(await file.text());
      if (plan.id !== q.plan || "sha256:" + Array.from(await sha256(canonical(plan.plan)), (b) => b.toString(16).padStart(2, "0")).join("") !== q.digest) plan = null;
    } catch {
      plan = null;
    }
    if ($("file").files[0] !== file) return; // another one was chosen meanwhile
    if (!plan || !Array.isArray(plan.plan.resets)) {
      show("read", "This file is not the plan that you are asked to confirm, or is larger than 64 MB. Do not confirm what you cannot tell.");
      return;
    }
    const resets = plan.plan.resets;
    $("touch").disabled = false;
    show("read", "This is the plan. Its reason is " + visible(String(plan.plan.reason)) + ", and it resets " + resets.length + (resets.length === 1 ? " credential:" : " credentials:"));
    for (const r of resets.slice(0, 1000)) {
      const li = document.createElement("li");
      li.textContent = visible(String(r.address));
      $("resets").append(li);
    }
    if (resets.length > 1000) {
      const li = document.createElement("li");
      li.textContent = "and " + (resets.length - 1000) + " more: remint show lists them";
      $("resets").append(li);
    }
    show("resets");
  };

  // asked tells whether the key asked for a PIN or a finger, by the data that it signs.
  const asked = (data) => (new Uint8Array(data)[32] & 4) !== 0;

  const why = (e) => {
    switch (e && e.name) {
      case "NotAllowedError":
        return "The key did not answer: nobody touched it, the wrong PIN was given, it is not one of those that count, or you cancelled. Nothing was signed. Try again.";
      case "InvalidStateError":
        return "This key is registered already. Use it, or register another one.";
      case "SecurityError":
        return "The browser does not let this page ask for this key: it must be opened with https, at the domain that the key is of. Nothing was signed.";
      case "NotSupportedError":
      case "ConstraintError":
        return "This key cannot do what is wanted. Use another one.";
    }
    return "The browser could not ask the key. Nothing was signed. Try again, or in another browser.";
  };

  // hand gives what the key answered: to the remint that serves this page, and else
  // to the person.
  const hand = async (text, name, next) => {
    if (document.documentElement.dataset.served === "yes") {
      let answer;
      try {
        answer = await fetch(location.pathname + "answer", { method: "POST", headers: { "Content-Type": "application/json" }, body: text, redirect: "error" });
        $("status").textContent = visible(await answer.text());
        return answer.ok;
      } catch {
        $("status").textContent = "The remint that printed the link has ended. Run it again, and use its new link.";
        return false;
      }
    }
    $("output").value = text;
    show("next", next);
    $("save").onclick = () => {
      const a = document.createElement("a");
      a.href = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
      a.download = name;
      a.click();
      URL.revokeObjectURL(a.href);
    };
    $("copy").onclick = async () => {
      try {
        await navigator.clipboard.writeText(text);
        $("status").textContent = "Copied.";
      } catch {
        $("output").select();
        $("status").textContent = "The browser does not let this page copy: the text is selected, copy it yourself.";
      }
    };
    show("result");
    return true;
  };

  // ask has the browser ask the key, once at a time; again after a failure.
  const ask = (button, work) => {
    button.onclick = async () => {
      button.disabled = true;
      $("result").hidden = true;
      $("status").textContent = "Your browser asks for the key …";
      try {
        button.disabled = await work();
      } catch (e) {
        $("status").textContent = why(e);
        button.disabled = false;
      }
    };
  };

  const confirm = (q) => {
    show("claim", q.subject === ""
      ? "You sign that you yourself ask for this plan."
      : "You sign that the secret of this credential is yours, and that you want it reset by this plan.");
    show("plan", q.plan);
    show("digest", q.digest);
    if (q.subject !== "") {
      show("subject-name");
      show("subject", visible(q.subject));
    }
    show("rp", q.rp);
    show("user", q.user === "required" ? "needed: the plan asks for it" : "asked for, if the key has one");
    $("file").onchange = () => readPlan(q, $("file").files[0]);
    ask($("touch"), async () => {
      const c = await navigator.credentials.get({ publicKey: {
        challenge: await challenge(q), rpId: q.rp, allowCredentials: descriptors(q), userVerification: q.user, timeout: 300000,
      } });
      if (q.user === "required" && !asked(c.response.authenticatorData)) {
        $("status").textContent = "The key asked for no PIN or finger, and the plan needs one: what it signed would count for too little. Use another key, or give this one a PIN.";
        return false;
      }
      $("status").textContent = "The key has signed.";
      const text = JSON.stringify({
        id: c.id, rawId: encode(c.rawId), type: c.type, clientExtensionResults: {},
        response: { clientDataJSON: encode(c.response.clientDataJSON), authenticatorData: encode(c.response.authenticatorData), signature: encode(c.response.signature) },
      });
      return hand(text, "remint-" + q.plan.slice(0, 8) + ".assertion.json",
        "Save it, and run: remint verify -webauthn=remint-" + q.plan.slice(0, 8) + ".assertion.json PLAN" +
        (q.subject === "" ? "" : ", with -subject and the credential's address") + ". It is worth nothing for any other plan.");
    });
    show("confirm");
  };

  // quoted is a string of HCL.
  const quoted = (s) => JSON.stringify(s); // no brace gets here, and so no template
  const register = (q) => {
    show("who", visible(q.who));
    show("register-rp", q.rp);
    ask($("create"), async () => {
      const c = await navigator.credentials.create({ publicKey: {
        rp: { id: q.rp, name: q.rp },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name: q.who, displayName: q.who },
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "discouraged", userVerification: "preferred" },
        excludeCredentials: descriptors(q), attestation: "none", timeout: 300000,
      } });
      const key = c.response.getPublicKey();
      if (!key) throw new DOMException("", "NotSupportedError");
      $("status").textContent = "The key is registered" + (asked(c.response.getAuthenticatorData()) ? "." : ", but asked for no PIN or finger: it will count for little.");
      const entry = { identity: q.who, id: encode(c.rawId), public_key: encode(key), hardware: false };
      $("block").value = "verifier \"webauthn\" " + quoted(q.name) + " {\n  rp_id   = " + quoted(q.rp) + "\n  origins = [" + quoted(location.origin) + "]\n  credentials = jsonencode([\n    { " +
        Object.entries(entry).map(([k, v]) => k + " = " + (v === false ? "false" : quoted(v))).join(", ") + " },\n  ])\n}\n";
      const handed = await hand(JSON.stringify(entry), "remint-key.json",
        "Add it to the list that the verifier's credentials are, with \"hardware\": true only if you know that the key cannot be copied.");
      if (handed && document.documentElement.dataset.served !== "yes") {
        show("block-name");
        show("block");
      }
      return handed;
    });
    show("register");
  };

  addEventListener("hashchange", () => location.reload());
  const q = parse(location.hash);
  if (window.top !== window.self) {
    refuse("This page is shown inside another one. Nothing is asked here: somebody may be fishing. Open the link in a tab of its own.");
  } else if (location.hash.length < 2) {
    refuse("This page is opened by a link, which remint verify -browser PLAN or remint verify -new-key=WHO prints.");
  } else if (!q) {
    refuse("The link is damaged, or of another version of remint. Nothing is asked: open it as remint printed it.");
  } else if (location.hostname !== q.rp && !location.hostname.endsWith("." + q.rp)) {
    refuse("The link asks for a key of " + q.rp + ", and this page is at " + location.hostname + ". Nothing is asked: somebody may be fishing.");
  } else if (!window.isSecureContext || !window.PublicKeyCredential) {
    refuse("This browser has no security keys here: the page must be opened with https, in a browser that knows WebAuthn.");
  } else if (q.remint1 === "confirm") {
    confirm(q);
  } else {
    register(q);
  }
})();

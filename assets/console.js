// What makes the pages more comfortable; each works without it. No page has a script of its own inside it.
"use strict";
document.documentElement.classList.add("js");

document.addEventListener("DOMContentLoaded", () => {
  // On a phone the menu opens with a button.
  const button = document.querySelector(".console-nav button");
  const list = document.querySelector(".console-nav ul");
  if (button && list) {
    const phone = window.matchMedia("(max-width: 767px)");
    const show = (open) => {
      list.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    };
    const follow = () => show(!phone.matches);
    phone.addEventListener("change", follow);
    follow();
    button.addEventListener("click", () => show(list.hidden));
  }

  // What went wrong is read first.
  const summary = document.querySelector("[data-errori]");
  if (summary) {
    summary.focus();
  }

  // A page that shows work in progress follows it, and comes again when it is over.
  const work = document.querySelector("[data-stato-da]");
  if (work) {
    const look = async () => {
      try {
        const answer = await fetch(work.dataset.statoDa, { redirect: "error" });
        const state = await answer.json();
        work.querySelector("progress").value = state.percento;
        work.querySelector("[data-testo]").textContent = state.testo;
        if (!state.inCorso) {
          window.location.reload();
          return;
        }
      } catch {
        // The service may be starting again: it is asked once more.
      }
      window.setTimeout(look, 2000);
    };
    window.setTimeout(look, 1000);
  }

  // A form is sent once, however often its button is pressed; but a file leaves the page as it is.
  for (const form of document.querySelectorAll("form[method=post]:not([data-scarica])")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.inviato) {
        event.preventDefault();
      }
      form.dataset.inviato = "1";
    });
  }
  // A page that comes back from the browser's memory may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-inviato]")) {
      delete form.dataset.inviato;
    }
  });

  // Whoever has sent nothing for long is told before the session ends, and stays signed in by a press.
  const warning = document.getElementById("scadenza");
  if (warning) {
    const wait = () => window.setTimeout(() => { warning.hidden = false; }, Number(warning.dataset.dopo));
    warning.querySelector("button").addEventListener("click", async (event) => {
      const answer = await fetch("/utenza/password", { redirect: "manual" }).catch(() => null);
      if (answer && answer.ok) {
        warning.hidden = true;
        wait();
      } else {
        warning.querySelector("p").textContent = warning.dataset.chiuso;
        event.target.remove();
      }
    });
    wait();
  }

  // What a form computes is shown while one types.
  const computing = document.querySelector("form[data-calcolo]");
  const computed = document.getElementById("calcolo");
  if (computing && computed) {
    let waiting;
    let latest = 0;
    const compute = async () => {
      const turn = (latest += 1);
      const body = new URLSearchParams(new FormData(computing));
      const answer = await fetch(computing.dataset.calcolo, { method: "POST", body }).catch(() => null);
      if (answer && answer.ok && turn === latest) {
        const { html } = await answer.json();
        computed.innerHTML = html;
      }
    };
    computing.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(compute, 300);
    });
  }
});

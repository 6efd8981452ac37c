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

  // A form is sent once, however often its button is pressed.
  for (const form of document.querySelectorAll("form[method=post]")) {
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
});

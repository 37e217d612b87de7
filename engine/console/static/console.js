// What scripts add: pages that show what happens stay up to date, and selections can be made at once. Everything else works without.
"use strict";
(function () {
  const live = document.body.dataset.live;
  const place = document.getElementById("live");
  if (live && place && window.EventSource) {
    let busy = false, last = 0, due = 0;
    // A page is small, and a poor or dear line smaller: there it is renewed twice a minute at most.
    const line = navigator.connection || {};
    const apart = line.saveData || /2g/.test(line.effectiveType || "") ? 30000 : 0;
    const renew = async function () {
      const wait = last + apart - Date.now();
      if (wait > 0) {
        clearTimeout(due);
        due = setTimeout(renew, wait);
        return;
      }
      if (busy || document.hidden || place.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, summary")) return;
      if (place.querySelector("details[open] form")) return;
      busy = true;
      last = Date.now();
      try {
        const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
        if (answer.ok && !answer.redirected) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
          if (fresh && fresh.innerHTML !== place.innerHTML) {
            const at = document.activeElement && document.activeElement.id;
            place.replaceChildren(...fresh.childNodes);
            if (at && document.getElementById(at)) document.getElementById(at).focus();
          }
        }
      } finally {
        busy = false;
      }
    };
    const events = new EventSource("/console/events");
    events.addEventListener("change", renew);
  }
  document.addEventListener("change", function (e) {
    if (!e.target.matches("[data-all]")) return;
    for (const box of document.querySelectorAll('input[type="checkbox"][name="' + e.target.dataset.all + '"]')) box.checked = e.target.checked;
  });
  document.addEventListener("click", async function (e) {
    const button = e.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    }
  });
  const here = document.querySelector("nav.main [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 40;
  for (const hidden of document.querySelectorAll("[data-script]")) hidden.hidden = false;
})();

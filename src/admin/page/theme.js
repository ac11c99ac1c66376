// Light or dark as chosen here, before anything is drawn; otherwise as the system has it.
"use strict";
try {
  const chosen = localStorage.getItem("howdah-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing follows the system */ }

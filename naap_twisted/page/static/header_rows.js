// The console's request headers: a row for each, with a name, a value and a way to drop it.

import { make } from "./dom.js";

let made = 0;

export class HeaderRows {
  // *list* holds the rows; onChange() is called when one is edited, added or dropped.
  constructor(list, onChange) {
    this.list = list;
    this.onChange = onChange;
    list.addEventListener("input", onChange);
  }

  add(name = "", value = "") {
    const id = `header-${++made}`;
    const box = (part, label, text) =>
      make("input", {
        id: `${id}-${part}`, class: part, value: text, "aria-label": label, placeholder: label,
        autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      });
    const drop = make("button", { type: "button", class: "quiet drop" }, "\u00d7");
    drop.setAttribute("aria-label", name ? `Remove header ${name}` : "Remove header");
    const row = make(
      "li", { class: "header-row" },
      box("name", "Header name", name), box("value", "Header value", value), drop,
    );
    drop.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector(".drop") ?? this.list).focus();
      this.onChange();
    });
    this.list.append(row);
    this.onChange();
    return row;
  }

  // Rows with a name, as [[name, value], ...].
  get pairs() {
    return [...this.list.children]
      .map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()))
      .filter(([name]) => name !== "");
  }

  // Give *name* the value *value*, in its row or in a new one; "" drops the row.
  set(name, value) {
    const same = (row) => row.querySelector(".name").value.trim().toLowerCase() === name.toLowerCase();
    const row = [...this.list.children].find(same);
    if (value === "") row?.remove();
    else if (row) row.querySelector(".value").value = value;
    else this.add(name, value);
  }
}

// The few words this page uses to speak with the document.

export const at = (id) => document.getElementById(id);

// {id: element} for each of ids.
export const parts = (...ids) => Object.fromEntries(ids.map((id) => [id, at(id)]));

// An element; children are nodes or text, never markup.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A focused button that gets disabled loses the focus to nobody: the first of *buttons* that can
// have it gets it.
export function refocus(...buttons) {
  const active = document.activeElement;
  if (active && active !== document.body && !active.disabled) return;
  buttons.find((button) => !button.disabled)?.focus({ preventScroll: true });
}

const SAID_MS = 1500;

// A button that copies what text() gives. Without permission *shown* is selected for the keyboard.
export function copies(button, text, shown) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(shown);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = label; }, SAID_MS);
  });
}

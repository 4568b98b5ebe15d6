// Tabs as WAI-ARIA describes them: one tab in the tab order, arrows move and select at once.
// https://www.w3.org/WAI/ARIA/apg/patterns/tabs/

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
const ENDS = { Home: 0, End: -1 };

// Panels in order, each with data-panel="name"; onShow(name) is called whenever one is shown.
export function startTabs(panels, onShow) {
  const names = panels.map((panel) => panel.dataset.panel);
  const tabs = names.map((name) => document.getElementById(`tab-${name}`));
  if (tabs.includes(null)) {
    panels[0].hidden = false;
    onShow(names[0]);
    return;
  }

  function show(name) {
    names.forEach((each, index) => {
      const chosen = each === name;
      panels[index].hidden = !chosen;
      tabs[index].setAttribute("aria-selected", String(chosen));
      tabs[index].tabIndex = chosen ? 0 : -1;
      if (chosen) document.title = `${tabs[index].textContent} - naap-proxy`;
    });
    onShow(name);
  }

  function choose(index) {
    const name = names.at(index % names.length);
    // Replaced, not pushed: an arrow held down must not bury the page before this one.
    history.replaceState(null, "", `#${name}`);
    tabs[names.indexOf(name)].focus();
    show(name);
  }

  const named = () => {
    const name = location.hash.slice(1);
    return names.includes(name) ? name : names[0];
  };

  tabs.forEach((tab, index) => {
    panels[index].setAttribute("role", "tabpanel");
    panels[index].setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(index));
    tab.addEventListener("keydown", (event) => {
      const next = event.key in STEPS ? index + STEPS[event.key] : ENDS[event.key];
      if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      choose(next);
    });
  });
  addEventListener("hashchange", () => show(named()));
  show(named());
}

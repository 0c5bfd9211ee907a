// store.js: holds the state, changes it by reduce alone and tells views about it once a frame.

export function createStore(reduce, initial) {
  let state = initial;
  let told = initial;
  let waiting = false;
  const views = new Set();

  const tell = () => {
    waiting = false;
    if (state === told) return;
    const before = told;
    told = state;
    for (const view of [...views]) if (views.has(view)) view(state, before);
  };
  // A hidden page gets no animation frames, but must stay true all the same.
  const soon = () => {
    if (waiting) return;
    waiting = true;
    if (document.hidden) setTimeout(tell, 200);
    else requestAnimationFrame(tell);
  };
  // A frame asked for before the page was hidden may never come.
  document.addEventListener("visibilitychange", () => waiting && tell());

  return {
    get: () => state,
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      soon();
    },
    subscribe(view) {
      views.add(view);
      return () => views.delete(view);
    },
  };
}

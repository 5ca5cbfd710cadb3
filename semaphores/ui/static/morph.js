// Morph: makes one tree of elements like another by changing only what differs, so that focus, selection, open
// details and what is being typed stay. Elements with an id are found again by it.

export function morph(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept(from, name)) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value && !kept(from, name)) from.setAttribute(name, value);
  }
  morphChildren(from, to);
}

// What the reader changed: an open part, a field that is being written in.
function kept(element, name) {
  return (name === "open" && element.localName === "details") || name === "data-live";
}

function morphChildren(from, to) {
  if (from.localName === "textarea" || from.localName === "select") return;
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const found = match(at, wanted, from);
    if (found === null) {
      from.insertBefore(wanted, at);
      continue;
    }
    if (found !== at) from.insertBefore(found, at);
    else at = at.nextSibling;
    if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
    else if (found.data !== wanted.data) found.data = wanted.data;
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function match(at, wanted, parent) {
  if (wanted.id) {
    for (let one = at; one !== null; one = one.nextSibling) if (one.id === wanted.id) return one;
    return null;
  }
  if (at === null || at.nodeType !== wanted.nodeType || at.id) return null;
  return at.nodeName === wanted.nodeName ? at : null;
}

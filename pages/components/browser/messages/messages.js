/** Unpack a message of pages/components/browser/messages: its header, and its pictures as Uint8Arrays. */
function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 4 + view.getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, at)))
  const pictures = header.lengths.map((length) => bytes.subarray(at, (at += length)))
  return { header, pictures }
}

/** Create an element: make("button", { class: "open", type: "button" }, child, "text"). Null attributes are omitted. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) element.setAttribute(key, value)
  }
  element.append(...children)
  return element
}

/** Create an icon from a path of 24 x 24 units; it has the colour of the text around it. */
function makeIcon(path) {
  const holder = make("span", { class: "icon", "aria-hidden": "true" })
  holder.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"
    stroke-linecap="round" stroke-linejoin="round"><path d="${path}"/></svg>`
  return holder
}

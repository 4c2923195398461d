const MINIMUM_SIDE = 8 // image pixels; a smaller box is regarded as accidental
const NUDGES_END_MS = 500 // after the last arrow key the box is committed
const BORDER = 2 // CSS pixels, as in boxes.css
const PARTS = {
  move: "Move",
  nw: "Upper left corner",
  n: "Upper edge",
  ne: "Upper right corner",
  e: "Right edge",
  se: "Lower right corner",
  s: "Lower edge",
  sw: "Lower left corner",
  w: "Left edge",
}
const MOVE_ICON = "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3"

const clamp = (value, low, high) => Math.max(low, Math.min(high, value))
const edgesOf = ({ left, top, right, bottom }) => ({ left, top, right, bottom })
const sameBox = (a, b) => JSON.stringify(a && edgesOf(a)) === JSON.stringify(b && edgesOf(b))

/** Return a box after a part was dragged by dx, dy image pixels: inside the image, each side at least MINIMUM_SIDE. */
function draggedBox(box, part, dx, dy, { width, height }) {
  const { left, top, right, bottom } = box
  if (part === "move") {
    dx = Math.round(clamp(dx, -left, width - right))
    dy = Math.round(clamp(dy, -top, height - bottom))
    return { left: left + dx, top: top + dy, right: right + dx, bottom: bottom + dy }
  }
  const moved = edgesOf(box)
  if (part.includes("w")) moved.left = Math.round(clamp(left + dx, 0, right - MINIMUM_SIDE))
  if (part.includes("e")) moved.right = Math.round(clamp(right + dx, left + MINIMUM_SIDE, width))
  if (part.includes("n")) moved.top = Math.round(clamp(top + dy, 0, bottom - MINIMUM_SIDE))
  if (part.includes("s")) moved.bottom = Math.round(clamp(bottom + dy, top + MINIMUM_SIDE, height))
  return moved
}

/** Return the box between two points of the image, each side at least MINIMUM_SIDE. */
function spannedBox(a, b, { width, height }) {
  const span = (from, to, size) => {
    const low = clamp(Math.floor(Math.min(from, to)), 0, size)
    const high = clamp(Math.ceil(Math.max(from, to)), 0, size)
    if (high - low >= MINIMUM_SIDE) return [low, high]
    const start = clamp(low, 0, Math.max(0, size - MINIMUM_SIDE))
    return [start, Math.min(size, start + MINIMUM_SIDE)]
  }
  const [left, right] = span(a.x, b.x, width)
  const [top, bottom] = span(a.y, b.y, height)
  return { left, top, right, bottom }
}

/**
 * Boxes over an image. The editable one is dragged by its handles or moved by the arrow keys.
 *
 * layer     an element that covers the image's stage
 * view      () => ({ x, y, scale, width, height }): position of the image's upper left corner in the layer, CSS pixels
 *           per image pixel, and the size of the image
 * commit    (box) => void: called when the user has placed the box, not while it is dragged
 * announce  (text) => void: text for screen readers
 */
class Boxes {
  constructor({ layer, view, commit, announce }) {
    Object.assign(this, { layer, view, commit, announce })
    this.shown = [] // { box, byHand, label, element, text }
  }

  /** Show these boxes. If `editable`, the box set by hand, or else the first, gets handles. */
  show(boxes, editable) {
    const pending = this.drag ?? this.nudged
    const current = this.edited?.box
    const focused = this.layer.getRootNode().activeElement
    const part = this.layer.contains(focused) && focused.dataset.part
    this.rebuilding = true
    this.layer.replaceChildren()
    this.shown = boxes.map((box) => this.draw(box))
    this.edited = editable ? (this.shown.find((each) => each.byHand) ?? this.shown[0]) : undefined
    if (this.edited) {
      this.layer.append(this.edited.element) // above the others
      this.addHandles(this.edited)
    }
    this.place()
    if (part) this.edited?.element.querySelector(`[data-part=${part}]`).focus({ preventScroll: true })
    this.rebuilding = false
    // Python's response to the last change can arrive during the next change
    if (!pending || !editable || !sameBox(this.edited?.box, pending.before)) this.endChange()
    else if (this.edited) this.change(current)
    else this.add(current)
  }

  draw({ label, byHand, ...box }) {
    const text = make("span", { class: "box-label" }, make("i"), label)
    const element = make("div", { class: `box ${byHand ? "by-hand" : "found"}`, role: "group" }, text)
    this.layer.append(element)
    return { box: edgesOf(box), label, byHand, element, text }
  }

  addHandles(edited) {
    edited.element.classList.add("editable")
    for (const [part, text] of Object.entries(PARTS)) {
      const name = part === "move" ? "Move the box" : text
      const handle = make("button", { type: "button", class: "handle", "data-part": part, "aria-label": name })
      if (part === "move") handle.append(makeIcon(MOVE_ICON))
      handle.title = `${name}: drag it or press the arrow keys (with Shift: 10 pixels)`
      handle.onpointerdown = (event) => this.startDrag(event, part)
      handle.onkeydown = (event) => this.nudge(event, part)
      handle.onblur = () => this.rebuilding || this.commitNudges()
      edited.element.append(handle)
    }
  }

  /** Position the elements for the current view; called whenever the view changes. */
  place() {
    const { x, y, scale } = this.view()
    // whole pixels of the screen, so that all lines have the same width
    const snap = (at) => Math.round(at * devicePixelRatio) / devicePixelRatio
    for (const { box, element, label } of this.shown) {
      const [left, top] = [snap(x + box.left * scale), snap(y + box.top * scale)]
      element.style.transform = `translate(${left}px, ${top}px)`
      element.style.width = `${snap(x + box.right * scale) - left}px`
      element.style.height = `${snap(y + box.bottom * scale) - top}px`
      element.classList.toggle("at-top", y + box.top * scale < 30)
      const position = `left ${box.left}, top ${box.top}, ${box.right - box.left} × ${box.bottom - box.top} pixels`
      element.setAttribute("aria-label", `${label}: ${position}`)
    }
    if (this.edited) this.placeMoveHandle(x, y, scale)
  }

  /** Put the handle that moves the box in the middle of the visible part of the box. */
  placeMoveHandle(x, y, scale) {
    const { box, element } = this.edited
    const middle = (low, high, offset, space) => {
      const from = Math.max(low * scale, -offset)
      const to = Math.min(high * scale, space - offset)
      return (from + Math.max(from, to)) / 2 - low * scale
    }
    const { clientWidth: width, clientHeight: height } = this.layer
    const handle = element.querySelector("[data-part=move]").style
    handle.left = `${middle(box.left, box.right, x, width) - BORDER}px`
    handle.top = `${middle(box.top, box.bottom, y, height) - BORDER}px`
    const hidden = x + box.left * scale < 0 && x + box.right * scale > width && y + box.top * scale < 0
    element.classList.toggle("no-visible-edge", hidden && y + box.bottom * scale > height)
  }

  change(box) {
    this.edited.box = box
    this.edited.text.lastChild.textContent = `${box.right - box.left} × ${box.bottom - box.top} pixels`
    this.place()
  }

  /* --- mouse */

  startDrag(event, part) {
    if (event.button !== 0 || this.drag) return
    event.preventDefault()
    event.stopPropagation()
    this.commitNudges()
    event.currentTarget.focus({ preventScroll: true })
    const start = this.edited.box
    this.follow(event, start, (dx, dy) => draggedBox(start, part, dx, dy, this.view()))
  }

  /** Start to draw a box where the pointer was pressed. */
  startBox(event) {
    const { x, y, scale, ...size } = this.view()
    const area = this.layer.getBoundingClientRect()
    const from = { x: (event.clientX - area.left - x) / scale, y: (event.clientY - area.top - y) / scale }
    this.commitNudges()
    const before = this.edited?.box
    if (!this.edited) this.edited = this.add(spannedBox(from, from, size))
    this.follow(event, before, (dx, dy) => spannedBox(from, { x: from.x + dx, y: from.y + dy }, size))
  }

  /** Let the box follow a pointer until it is released; a cancelled drag restores `before`. */
  follow(event, before, boxAt) {
    const { pointerId, clientX, clientY } = event
    const ended = new AbortController()
    const on = (type, act) =>
      window.addEventListener(type, (e) => e.pointerId === pointerId && act(e), { signal: ended.signal })
    this.drag = { before, ended }
    this.layer.classList.add("dragging")
    on("pointermove", (e) => {
      const { scale } = this.view()
      this.drag.moved ||= Math.hypot(e.clientX - clientX, e.clientY - clientY) > 2
      if (this.drag.moved) this.change(boxAt((e.clientX - clientX) / scale, (e.clientY - clientY) / scale))
    })
    on("pointerup", () => {
      const { moved } = this.drag
      if (!moved) return void this.cancel()
      this.endDrag()
      this.finish(before)
    })
    on("pointercancel", () => this.cancel())
  }

  endDrag() {
    this.drag.ended.abort()
    this.drag = undefined
    this.layer.classList.remove("dragging")
  }

  /** Cancel an unfinished change; return whether there was one. */
  cancel() {
    const pending = this.drag ?? this.nudged
    if (!pending) return false
    this.endChange()
    this.restore(pending.before)
    return true
  }

  endChange() {
    if (this.drag) this.endDrag()
    clearTimeout(this.timer)
    this.nudged = undefined
  }

  /* --- keyboard */

  nudge(event, part) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!by || this.drag || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    event.stopPropagation()
    const [dx, dy] = by.map((step) => step * (event.shiftKey ? 10 : 1))
    this.nudged ??= { before: this.edited.box }
    this.change(draggedBox(this.edited.box, part, dx, dy, this.view()))
    this.commitSoon()
  }

  /** Add a box for keyboard users, who then move it with the arrow keys. */
  addByKeyboard(box) {
    this.commitNudges()
    this.nudged = { before: this.edited?.box }
    if (this.edited) this.change(box)
    else this.edited = this.add(box)
    this.edited.element.querySelector("[data-part=move]").focus({ preventScroll: true })
    this.commitSoon()
  }

  commitSoon() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.commitNudges(), NUDGES_END_MS)
  }

  commitNudges() {
    if (!this.nudged) return
    clearTimeout(this.timer)
    const { before } = this.nudged
    this.nudged = undefined
    this.finish(before)
  }

  /* --- mouse and keyboard */

  finish(before) {
    const { edited } = this
    if (sameBox(edited.box, before)) return void this.restore(before)
    Object.assign(edited, { byHand: true, label: BY_HAND })
    edited.element.classList.replace("found", "by-hand")
    this.restore(edited.box)
    this.announce(edited.element.getAttribute("aria-label"))
    this.commit(edited.box)
  }

  add(box) {
    const edited = this.draw({ ...box, label: BY_HAND, byHand: true })
    this.shown.push(edited)
    this.addHandles(edited)
    this.edited = edited
    this.place()
    return edited
  }

  /** Show this box; without one, remove the box that was drawn. */
  restore(box) {
    const { edited } = this
    if (box) {
      edited.box = box
      edited.text.lastChild.textContent = edited.label
    } else {
      edited.element.remove()
      this.shown = this.shown.filter((each) => each !== edited)
      this.edited = undefined
    }
    this.place()
  }
}

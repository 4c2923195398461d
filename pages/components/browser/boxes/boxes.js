const MINIMUM_SIDE = 8 // image pixels; less is a slip of the hand
const NUDGES_END_MS = 500 // after the last arrow key, the box counts as placed
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
const MOVE = "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3"

const within = (value, low, high) => Math.max(low, Math.min(high, value))
const sides = ({ left, top, right, bottom }) => ({ left, top, right, bottom })
const sameBox = (a, b) => JSON.stringify(a && sides(a)) === JSON.stringify(b && sides(b))

/** A box with one part dragged by dx, dy image pixels: inside the image, and never smaller than MINIMUM_SIDE. */
function draggedBox(box, part, dx, dy, { width, height }) {
  const { left, top, right, bottom } = box
  if (part === "move") {
    dx = Math.round(within(dx, -left, width - right))
    dy = Math.round(within(dy, -top, height - bottom))
    return { left: left + dx, top: top + dy, right: right + dx, bottom: bottom + dy }
  }
  const moved = sides(box)
  if (part.includes("w")) moved.left = Math.round(within(left + dx, 0, right - MINIMUM_SIDE))
  if (part.includes("e")) moved.right = Math.round(within(right + dx, left + MINIMUM_SIDE, width))
  if (part.includes("n")) moved.top = Math.round(within(top + dy, 0, bottom - MINIMUM_SIDE))
  if (part.includes("s")) moved.bottom = Math.round(within(bottom + dy, top + MINIMUM_SIDE, height))
  return moved
}

/** The box between two points of the image, at least MINIMUM_SIDE in size. */
function spannedBox(a, b, { width, height }) {
  const span = (from, to, size) => {
    const low = within(Math.floor(Math.min(from, to)), 0, size)
    const high = within(Math.ceil(Math.max(from, to)), 0, size)
    if (high - low >= MINIMUM_SIDE) return [low, high]
    const start = within(low, 0, Math.max(0, size - MINIMUM_SIDE))
    return [start, Math.min(size, start + MINIMUM_SIDE)]
  }
  const [left, right] = span(a.x, b.x, width)
  const [top, bottom] = span(a.y, b.y, height)
  return { left, top, right, bottom }
}

/**
 * Boxes over a picture; the one that may be changed is dragged by its handles or nudged by the arrow keys.
 *
 * layer    an element that covers the picture's stage
 * view     () => ({ x, y, scale, width, height }): where the picture's corner lies in the layer, CSS pixels per
 *          image pixel, and the image's size
 * commit   (box) => void: a person has placed it; not called while it is dragged
 * say      (text) => void: for those who cannot see it
 */
class Boxes {
  constructor({ layer, view, commit, say }) {
    Object.assign(this, { layer, view, commit, say })
    this.shown = [] // { box, kind, label, element, name }
  }

  /** Show these boxes; with `editable` the one set by hand, or else the first, gets handles. */
  show(boxes, editable) {
    const pending = this.drag ?? this.nudged
    const reached = this.own?.box
    const focused = this.layer.getRootNode().activeElement
    const part = this.layer.contains(focused) && focused.dataset.part
    this.rebuilding = true
    this.layer.replaceChildren()
    this.shown = boxes.map((box) => this.draw(box))
    this.own = editable ? (this.shown.find((each) => each.kind === "by hand") ?? this.shown[0]) : undefined
    if (this.own) {
      this.layer.append(this.own.element) // above the others
      this.addHandles(this.own)
    }
    this.place()
    if (part) this.own?.element.querySelector(`[data-part=${part}]`).focus({ preventScroll: true })
    this.rebuilding = false
    // Python's answer to the last change may come while the next one is being made
    if (!pending || !editable || !sameBox(this.own?.box, pending.before)) this.forget()
    else if (this.own) this.change(reached)
    else this.add(reached)
  }

  draw({ label, kind, ...box }) {
    const name = make("span", { class: "box-name" }, make("i"), `${label}, ${kind}`)
    const element = make("div", { class: `box ${kind === "by hand" ? "by-hand" : "automatic"}`, role: "group" }, name)
    this.layer.append(element)
    return { box: sides(box), label, kind, element, name }
  }

  addHandles(own) {
    own.element.classList.add("own")
    for (const [part, words] of Object.entries(PARTS)) {
      const name = part === "move" ? "Move the box" : words
      const handle = make("button", { type: "button", class: "grip", "data-part": part, "aria-label": name })
      if (part === "move") handle.append(sign(MOVE))
      handle.title = `${name}: drag, or use the arrow keys (with Shift 10 pixels)`
      handle.onpointerdown = (event) => this.grab(event, part)
      handle.onkeydown = (event) => this.nudge(event, part)
      handle.onblur = () => this.rebuilding || this.settle()
      own.element.append(handle)
    }
  }

  /** Bring the elements to where the boxes lie in the present view; called whenever that changes. */
  place() {
    const { x, y, scale } = this.view()
    const snap = (at) => Math.round(at * devicePixelRatio) / devicePixelRatio // lines of even width
    for (const { box, element, label, kind } of this.shown) {
      const [left, top] = [snap(x + box.left * scale), snap(y + box.top * scale)]
      element.style.transform = `translate(${left}px, ${top}px)`
      element.style.width = `${snap(x + box.right * scale) - left}px`
      element.style.height = `${snap(y + box.bottom * scale) - top}px`
      element.classList.toggle("at-top", y + box.top * scale < 30)
      const place = `left ${box.left}, top ${box.top}, ${box.right - box.left} × ${box.bottom - box.top} pixels`
      element.setAttribute("aria-label", `${label}, ${kind}: ${place}`)
    }
    if (this.own) this.placeGrip(x, y, scale)
  }

  /** The sign to move it by: in the middle of what can be seen of the box. */
  placeGrip(x, y, scale) {
    const { box, element } = this.own
    const middle = (low, high, offset, room) => {
      const from = Math.max(low * scale, -offset)
      const to = Math.min(high * scale, room - offset)
      return (from + Math.max(from, to)) / 2 - low * scale
    }
    const { clientWidth: width, clientHeight: height } = this.layer
    const grip = element.querySelector("[data-part=move]").style
    grip.left = `${middle(box.left, box.right, x, width) - BORDER}px`
    grip.top = `${middle(box.top, box.bottom, y, height) - BORDER}px`
    const noEdge = x + box.left * scale < 0 && x + box.right * scale > width && y + box.top * scale < 0
    element.classList.toggle("no-edge", noEdge && y + box.bottom * scale > height)
  }

  change(box) {
    this.own.box = box
    this.own.name.lastChild.textContent = `${box.right - box.left} × ${box.bottom - box.top} pixels`
    this.place()
  }

  /* --- by the mouse */

  grab(event, part) {
    if (event.button !== 0 || this.drag) return
    event.preventDefault()
    event.stopPropagation()
    this.settle()
    event.currentTarget.focus({ preventScroll: true })
    const start = this.own.box
    this.follow(event, start, (dx, dy) => draggedBox(start, part, dx, dy, this.view()))
  }

  /** Begin a new box at a pointer that went down on the picture. */
  span(event) {
    const { x, y, scale, ...size } = this.view()
    const room = this.layer.getBoundingClientRect()
    const from = { x: (event.clientX - room.left - x) / scale, y: (event.clientY - room.top - y) / scale }
    this.settle()
    const before = this.own?.box
    if (!this.own) this.own = this.add(spannedBox(from, from, size))
    this.follow(event, before, (dx, dy) => spannedBox(from, { x: from.x + dx, y: from.y + dy }, size))
  }

  /** Let the box follow a pointer until it is let go; `before` is what a cancelled drag returns to. */
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
      this.placed(before)
    })
    on("pointercancel", () => this.cancel())
  }

  endDrag() {
    this.drag.ended.abort()
    this.drag = undefined
    this.layer.classList.remove("dragging")
  }

  /** Undo what is not finished; true where there was something. */
  cancel() {
    const pending = this.drag ?? this.nudged
    if (!pending) return false
    this.forget()
    this.restore(pending.before)
    return true
  }

  forget() {
    if (this.drag) this.endDrag()
    clearTimeout(this.timer)
    this.nudged = undefined
  }

  /* --- by the keyboard */

  nudge(event, part) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!by || this.drag || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    event.stopPropagation()
    const [dx, dy] = by.map((step) => step * (event.shiftKey ? 10 : 1))
    this.nudged ??= { before: this.own.box }
    this.change(draggedBox(this.own.box, part, dx, dy, this.view()))
    this.settleSoon()
  }

  /** A box in the middle of a part of the image, for those who cannot drag one; then the arrow keys place it. */
  put(box) {
    this.settle()
    this.nudged = { before: this.own?.box }
    if (this.own) this.change(box)
    else this.own = this.add(box)
    this.own.element.querySelector("[data-part=move]").focus({ preventScroll: true })
    this.settleSoon()
  }

  settleSoon() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.settle(), NUDGES_END_MS)
  }

  settle() {
    if (!this.nudged) return
    clearTimeout(this.timer)
    const { before } = this.nudged
    this.nudged = undefined
    this.placed(before)
  }

  /* --- both */

  placed(before) {
    const { own } = this
    if (sameBox(own.box, before)) return void this.restore(before)
    own.kind = "by hand"
    own.element.classList.replace("automatic", "by-hand")
    this.restore(own.box)
    this.say(own.element.getAttribute("aria-label"))
    this.commit(own.box)
  }

  add(box) {
    const own = this.draw({ ...box, label: "Colony", kind: "by hand" })
    this.shown.push(own)
    this.addHandles(own)
    this.own = own
    this.place()
    return own
  }

  /** Show the box as it was; without one before, take it away. */
  restore(box) {
    const { own } = this
    if (box) {
      own.box = box
      own.name.lastChild.textContent = `${own.label}, ${own.kind}`
    } else {
      own.element.remove()
      this.shown = this.shown.filter((each) => each !== own)
      this.own = undefined
    }
    this.place()
  }
}

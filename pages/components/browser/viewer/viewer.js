const SIGNS = {
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  out: "M5 12h14",
  in: "M5 12h14M12 5v14",
  close: "M6 6l12 12M18 6L6 18",
}
const STEP_ZOOM = 1.25 // for a key or a button
const MOST_ZOOM = 32 // screen pixels per image pixel
const SQUARES_FROM = 2 // from this zoom on, pixels are shown as squares
const STEP_PAUSE_MS = 200 // a key held down turns the pages no faster

const viewers = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  let viewer = viewers.get(parentElement)
  if (!viewer) viewers.set(parentElement, (viewer = new Viewer(parentElement.querySelector(".viewer"))))
  viewer.fire = setTriggerValue
  viewer.update(data)
  return () => {
    viewer.leave()
    viewers.delete(parentElement)
  }
}

class Viewer {
  constructor(root) {
    Object.assign(this, { root, x: 0, y: 0 })
    this.build()
    this.boxes = new Boxes({
      layer: this.layer,
      view: () => this.place(),
      commit: (box) => this.fire("box", { path: this.header.path, box }),
      say: (text) => (this.said.textContent = text),
    })
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
    this.stage.onpointerdown = (event) => this.press(event)
    this.stage.onpointermove = (event) => this.hover(event)
    this.stage.onpointerleave = () => this.read(null)
    root.onkeydown = (event) => this.key(event)
    this.onPage = (event) => this.pageKey(event)
    document.addEventListener("keydown", this.onPage)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(this.stage)
  }

  build() {
    const button = (name, act, { text, icon, hint }) => {
      const attributes = { type: "button", title: hint, "aria-label": icon ? name : null }
      const element = make("button", attributes, icon ? sign(SIGNS[icon]) : text)
      element.onclick = (event) => element.getAttribute("aria-disabled") !== "true" && act(event)
      return element
    }
    const [left, right] = ["Previous image (left arrow)", "Next image (right arrow)"]
    this.previous = button("Previous image", () => this.step(-1), { icon: "previous", hint: left })
    this.next = button("Next image", () => this.step(1), { icon: "next", hint: right })
    this.title = make("span", { class: "place" })
    this.percent = make("output", { class: "percent", "aria-label": "Zoom" })
    const less = button("Zoom out", () => this.zoomBy(1 / STEP_ZOOM), { icon: "out", hint: "Zoom out (−)" })
    const more = button("Zoom in", () => this.zoomBy(STEP_ZOOM), { icon: "in", hint: "Zoom in (+)" })
    const fit = button("Fit", () => this.fit(), { text: "Fit", hint: "The whole image (0)" })
    const full = button("True size", () => this.zoomTo(1), {
      text: "1:1",
      hint: "True size: one image pixel on one pixel of the screen (1)",
    })
    full.setAttribute("aria-label", "1:1, true size")
    const flip = () => this.showBoxes(this.layer.hidden)
    this.toggle = button("Box", flip, { text: "Box", hint: "Show or hide the box (b)" })
    const hint = "Drag a new box on the picture"
    this.pen = button("Draw box", (event) => this.draw(event), { text: "Draw box", hint })
    this.close = button("Close", () => this.shut(), { icon: "close", hint: "Close (Escape)" })
    const group = (name, ...parts) => make("div", { class: "group", role: "group", "aria-label": name }, ...parts)
    this.steps = group("Images", this.previous, this.next)
    this.marks = group("Box", this.toggle, this.pen)
    const bar = make("div", { class: "bar" }, this.steps, this.title, this.marks)
    bar.append(group("Zoom", less, this.percent, more, fit, full), this.close)

    this.canvas = make("canvas", { role: "img", "aria-label": "Picture" })
    this.layer = make("div", { class: "boxes" })
    this.scale = make("div", { class: "scale", "aria-hidden": "true" }, make("span"), make("i"))
    this.note = make("p", { class: "note", role: "alert" })
    this.note.hidden = true
    this.stage = make("div", { class: "stage", tabindex: "0", role: "group", "aria-label": "Picture" })
    this.stage.append(this.canvas, this.layer, this.scale, this.note)
    this.pixel = make("span", { class: "pixel" })
    this.colour = make("span", { class: "colour" }, make("i"), make("span"))
    this.dimensions = make("span", { class: "dimensions" })
    this.said = make("span", { class: "said", role: "status" })
    const foot = make("div", { class: "foot" }, this.dimensions, this.pixel, this.colour, this.said)
    this.root.replaceChildren(bar, this.stage, foot)
  }

  /* --- what Python sends */

  async update(message) {
    if (message === this.message) return // only the theme or a callback has changed
    this.message = message
    const { header, pictures } = unpack(message)
    const before = this.header
    const identity = ({ digest, size }) => `${digest} ${size}`
    const samePicture = this.bitmap && before && identity(before) === identity(header)
    if (!samePicture && !(await this.load(message, header, pictures[0]))) return
    this.header = header
    this.dress(header)
    if (before?.path !== header.path) {
      this.boxes.forget()
      this.drawing(false)
    }
    const marks = JSON.stringify([header.path, header.boxes, header.editable])
    if (marks !== this.marked) this.boxes.show(this.bitmap ? header.boxes : [], header.editable)
    this.marked = marks
    if (before?.path === header.path) return this.settle()
    this.fit()
    // a view that can be closed was opened for the keyboard; one that is a part of the page leaves it alone
    if (header.closable && document.activeElement === document.body) this.stage.focus()
  }

  /** Decode a picture; the old one stays until the new one is there. False where a newer message has come. */
  async load(message, { mime, size, path }, bytes) {
    let bitmap = null
    try {
      // the values of the file, as training sees them, not those of a colour profile
      bitmap = await createImageBitmap(new Blob([bytes], { type: mime }), { colorSpaceConversion: "none" })
    } catch {
      // told below
    }
    if (message !== this.message) {
      bitmap?.close()
      return false
    }
    this.bitmap?.close()
    this.bitmap = bitmap
    this.values = null
    this.note.hidden = Boolean(bitmap)
    this.scale.hidden = !bitmap
    this.note.textContent = bitmap ? "" : `The browser cannot show ${path}.`
    const [width, height] = size ?? [bitmap?.width ?? 1, bitmap?.height ?? 1]
    Object.assign(this, { width, height })
    return true
  }

  dress({ path, place, previous, next, closable, editable, boxes, height }) {
    this.stage.style.height = `${height}px`
    const name = path.split("/").pop()
    this.title.replaceChildren(make("b", { title: path }, name), place && ` ${place}`)
    this.canvas.setAttribute("aria-label", `${name}, ${this.width} × ${this.height} pixels`)
    this.previous.setAttribute("aria-disabled", !previous)
    this.next.setAttribute("aria-disabled", !next)
    this.steps.hidden = !previous && !next && !place
    this.close.hidden = !closable
    this.marks.hidden = !this.bitmap || (!editable && boxes.length === 0)
    this.pen.hidden = !editable
    this.toggle.setAttribute("aria-pressed", !this.layer.hidden)
    this.dimensions.textContent = `${this.width} × ${this.height} pixels`
  }

  /* --- the view: zoom in screen pixels per image pixel; x, y of the picture's corner in CSS pixels */

  place() {
    return { x: this.x, y: this.y, scale: this.zoom / devicePixelRatio, width: this.width, height: this.height }
  }

  room() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight }
  }

  fitting() {
    const room = this.room()
    return Math.min(room.width / this.width, room.height / this.height) * devicePixelRatio
  }

  fit() {
    this.fitted = true
    this.zoom = this.fitting()
    this.settle()
  }

  zoomTo(zoom, at = { x: this.room().width / 2, y: this.room().height / 2 }) {
    if (!this.header) return
    const least = Math.min(1, this.fitting())
    const next = Math.max(least, Math.min(MOST_ZOOM, zoom))
    const ratio = next / this.zoom
    this.x = at.x - (at.x - this.x) * ratio
    this.y = at.y - (at.y - this.y) * ratio
    this.zoom = next
    this.fitted = false
    this.settle()
  }

  zoomBy(factor, at) {
    this.zoomTo(this.zoom * factor, at)
  }

  panBy(dx, dy) {
    this.x += dx
    this.y += dy
    this.settle()
  }

  /** Keep the picture in its window: centred where it is smaller, without a gap where it is larger. */
  settle() {
    const room = this.room()
    const { scale } = this.place()
    const keep = (at, size, space) => (size <= space ? (space - size) / 2 : within(at, space - size, 0))
    this.x = keep(this.x, this.width * scale, room.width)
    this.y = keep(this.y, this.height * scale, room.height)
    this.paint()
  }

  resize() {
    if (!this.header || !this.visible()) return
    if (this.fitted) this.fit()
    else this.settle()
  }

  /** Draw once per frame, however many changes there are. */
  paint() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined
      if (this.header && this.visible()) this.render()
    })
  }

  render() {
    const { canvas, zoom } = this
    const { x, y, scale } = this.place()
    const [width, height] = Object.values(this.room()).map((side) => Math.round(side * devicePixelRatio))
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    const context = canvas.getContext("2d")
    context.clearRect(0, 0, width, height)
    context.imageSmoothingEnabled = zoom < SQUARES_FROM
    context.imageSmoothingQuality = "medium"
    const corner = [x, y].map((at) => Math.round(at * devicePixelRatio))
    if (this.bitmap) context.drawImage(this.bitmap, ...corner, this.width * zoom, this.height * zoom)
    this.boxes.place()
    this.percent.textContent = `${zoom < 0.1 ? (100 * zoom).toFixed(1) : Math.round(100 * zoom)} %`
    this.renderScale(scale)
    const room = this.room()
    const larger = this.width * scale > room.width + 1 || this.height * scale > room.height + 1
    this.stage.classList.toggle("pannable", larger)
  }

  /** Whether there is room to draw in: there is none while the page takes the picture away. */
  visible() {
    const { width, height } = this.room()
    return width > 0 && height > 0
  }

  /** A bar of a round number of pixels, of about an eighth of the window. */
  renderScale(scale) {
    const most = Math.min(160, this.room().width / 4) / scale
    const power = 10 ** Math.floor(Math.log10(most))
    const length = [5, 2, 1].map((digit) => digit * power).find((value) => value <= most)
    this.scale.lastChild.style.width = `${length * scale}px`
    this.scale.firstChild.textContent = `${+length.toPrecision(1)} px`
  }

  /* --- the mouse */

  wheel(event) {
    event.preventDefault()
    const lines = [1, 16, 100][event.deltaMode] // pixels, lines or pages
    const pace = event.ctrlKey ? 0.01 : 0.0016 // a pinch on a touch pad comes as a wheel with Ctrl
    this.zoomBy(Math.exp(-within(event.deltaY * lines, -240, 240) * pace), this.at(event))
    this.hover(event)
  }

  at(event) {
    const room = this.canvas.getBoundingClientRect()
    return { x: event.clientX - room.left, y: event.clientY - room.top }
  }

  press(event) {
    if (!this.header || event.button > 1) return
    if (this.stage.classList.contains("drawing") && event.button === 0) {
      this.boxes.span(event)
      this.drawing(false)
      return
    }
    const start = { x: event.clientX - this.x, y: event.clientY - this.y }
    this.stage.setPointerCapture(event.pointerId)
    this.stage.classList.add("panning")
    const pan = (move) => {
      this.panBy(move.clientX - start.x - this.x, move.clientY - start.y - this.y)
      this.hover(move)
    }
    const end = () => {
      this.stage.removeEventListener("pointermove", pan)
      this.stage.classList.remove("panning")
    }
    this.stage.addEventListener("pointermove", pan)
    this.stage.addEventListener("lostpointercapture", end, { once: true })
  }

  hover(event) {
    if (!this.header) return
    const at = this.at(event)
    const { x, y, scale, width, height } = this.place()
    const pixel = { x: Math.floor((at.x - x) / scale), y: Math.floor((at.y - y) / scale) }
    const inside = pixel.x >= 0 && pixel.y >= 0 && pixel.x < width && pixel.y < height
    this.read(inside && this.bitmap ? pixel : null)
  }

  /** Tell the pixel under the pointer. */
  read(pixel) {
    this.colour.hidden = !pixel
    this.pixel.textContent = pixel ? `x ${pixel.x}  y ${pixel.y}` : ""
    if (!pixel) return
    this.values ??= this.pixels()
    const at = [(pixel.x * this.bitmap.width) / this.width, (pixel.y * this.bitmap.height) / this.height]
    const [red, green, blue] = this.values.getImageData(...at.map(Math.floor), 1, 1).data
    this.colour.firstChild.style.background = `rgb(${red} ${green} ${blue})`
    this.colour.lastChild.textContent = `R ${red}  G ${green}  B ${blue}`
  }

  /** The picture where single pixels can be read quickly. */
  pixels() {
    const { width, height } = this.bitmap
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
    context.drawImage(this.bitmap, 0, 0)
    return context
  }

  /* --- the keyboard */

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
    const actions = {
      "+": () => this.zoomBy(STEP_ZOOM),
      "=": () => this.zoomBy(STEP_ZOOM), // the same key without Shift
      "-": () => this.zoomBy(1 / STEP_ZOOM),
      0: () => this.fit(),
      1: () => this.zoomTo(1),
      b: () => this.showBoxes(this.layer.hidden),
      Escape: () => this.escape(),
    }
    if (arrow && (event.shiftKey || arrow[1])) this.panBy(...arrow.map((way) => way * 0.15 * this.room().width))
    else if (arrow) this.step(-arrow[0], event)
    else if (actions[event.key]) actions[event.key]()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Left and right from anywhere on the page, unless what has the focus may want them. */
  pageKey(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!way || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    const [target] = event.composedPath()
    const idle = "body, html, main, section, [data-testid=stApp], button:not([role]), a:not([role])"
    if (!(target instanceof Element) || !target.matches(idle)) return
    const dialog = document.querySelector("[role=dialog]")
    if (dialog && !dialog.contains(this.root.getRootNode().host ?? this.root)) return
    event.preventDefault()
    this.step(way, event)
  }

  step(way, event) {
    if (!this.header || !(way < 0 ? this.header.previous : this.header.next)) return
    if (event?.repeat && event.timeStamp - this.stepped < STEP_PAUSE_MS) return
    this.stepped = event?.timeStamp
    this.fire("step", way)
  }

  escape() {
    if (this.boxes.cancel()) return
    if (this.stage.classList.contains("drawing")) return this.drawing(false)
    if (this.header?.closable) this.shut()
  }

  /** Let go of the keyboard before leaving: whoever takes it next may be there before this view has gone. */
  shut() {
    this.root.getRootNode().activeElement?.blur()
    this.fire("close", true)
  }

  /* --- the box */

  showBoxes(shown) {
    if (this.marks.hidden) return
    this.layer.hidden = !shown
    this.toggle.setAttribute("aria-pressed", shown)
    this.paint()
  }

  draw(event) {
    this.showBoxes(true)
    if (event.detail) return this.drawing(!this.stage.classList.contains("drawing"))
    // pressed by a key: a box in the middle of what is seen, for the arrow keys to place
    const { x, y, scale, ...size } = this.place()
    const room = this.room()
    const seen = (share, at, side, space) => {
      const [low, high] = [Math.max(0, -at / scale), Math.min(side, (space - at) / scale)]
      return low + share * (high - low)
    }
    const point = (share) => ({
      x: seen(share, x, this.width, room.width),
      y: seen(share, y, this.height, room.height),
    })
    this.boxes.put(spannedBox(point(0.25), point(0.75), size))
  }

  drawing(on) {
    this.stage.classList.toggle("drawing", on)
    this.pen.setAttribute("aria-pressed", on)
    if (on) this.stage.focus({ preventScroll: true })
  }

  leave() {
    document.removeEventListener("keydown", this.onPage)
    this.observer.disconnect()
    cancelAnimationFrame(this.frame)
    this.boxes.forget()
    this.bitmap?.close()
    this.bitmap = this.header = this.message = null
  }
}

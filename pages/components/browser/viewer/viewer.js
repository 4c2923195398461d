const ICONS = {
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  out: "M5 12h14",
  in: "M5 12h14M12 5v14",
  close: "M6 6l12 12M18 6L6 18",
}
const ZOOM_STEP = 1.25 // factor of a key or a button
const MAX_ZOOM = 32 // screen pixels per image pixel
const SQUARE_PIXELS_FROM = 2 // at this zoom and above, pixels are drawn as squares
const STEP_PAUSE_MS = 200 // between images while an arrow key is held down

const viewers = new WeakMap()

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let viewer = viewers.get(parentElement)
  if (!viewer) viewers.set(parentElement, (viewer = new Viewer(parentElement.querySelector(".viewer"))))
  viewer.setState = setStateValue
  viewer.setTrigger = setTriggerValue
  viewer.update(data)
  return () => {
    viewer.destroy()
    viewers.delete(parentElement)
  }
}

class Viewer {
  constructor(root) {
    Object.assign(this, { root, x: 0, y: 0 })
    this.build()
    this.boxes = new Boxes({
      layer: this.layer,
      view: () => this.view(),
      commit: (box) => this.setTrigger("box", { path: this.header.path, box }),
      announce: (text) => (this.announcement.textContent = text),
    })
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
    this.stage.onpointerdown = (event) => this.press(event)
    this.stage.onpointermove = (event) => this.hover(event)
    this.stage.onpointerleave = () => this.showPixel(null)
    root.onkeydown = (event) => this.key(event)
    this.onPage = (event) => this.pageArrow(event)
    document.addEventListener("keydown", this.onPage)
    // on the way down, so that Streamlit's shortcuts do not get the key: r runs the script again
    this.onPageLabel = (event) => this.isUnusedKey(event) && this.label(event)
    document.addEventListener("keydown", this.onPageLabel, true)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(this.stage)
  }

  build() {
    const button = (name, action, { text, icon, hint }) => {
      const attributes = { type: "button", title: hint, "aria-label": icon ? name : null }
      const element = make("button", attributes, icon ? makeIcon(ICONS[icon]) : text)
      element.onclick = (event) => element.getAttribute("aria-disabled") !== "true" && action(event)
      return element
    }
    const hints = ["Previous image (left arrow)", "Next image (right arrow)"]
    this.previous = button("Previous image", () => this.step(-1), { icon: "previous", hint: hints[0] })
    this.next = button("Next image", () => this.step(1), { icon: "next", hint: hints[1] })
    this.title = make("span", { class: "title" })
    this.percent = make("output", { class: "percent", "aria-label": "Zoom" })
    const zoomOut = button("Zoom out", () => this.zoomBy(1 / ZOOM_STEP), { icon: "out", hint: "Zoom out (−)" })
    const zoomIn = button("Zoom in", () => this.zoomBy(ZOOM_STEP), { icon: "in", hint: "Zoom in (+)" })
    const fit = button("Fit", () => this.fit(), { text: "Fit", hint: "Fit the whole image (0)" })
    const full = button("True size", () => this.zoomTo(1), {
      text: "1:1",
      hint: "True size: one image pixel is one pixel of the screen (1)",
    })
    full.setAttribute("aria-label", "1:1, true size")
    const toggleBoxes = () => this.showBoxes(this.layer.hidden)
    this.toggle = button("Box", toggleBoxes, { text: "Box", hint: "Show or hide the box (b)" })
    const hint = "Draw a new box on the image"
    this.drawButton = button("Draw box", (event) => this.drawBox(event), { text: "Draw box", hint })
    this.closeButton = button("Close", () => this.close(), { icon: "close", hint: "Close (Escape)" })
    const group = (name, ...parts) => make("div", { class: "group", role: "group", "aria-label": name }, ...parts)
    this.stepButtons = group("Images", this.previous, this.next)
    this.boxButtons = group("Box", this.toggle, this.drawButton)
    const toolbar = make("div", { class: "toolbar" }, this.stepButtons, this.title, this.boxButtons)
    toolbar.append(group("Zoom", zoomOut, this.percent, zoomIn, fit, full), this.closeButton)

    this.canvas = make("canvas", { role: "img", "aria-label": "Image" })
    this.layer = make("div", { class: "boxes" })
    this.scale = make("div", { class: "scale", "aria-hidden": "true" }, make("span"), make("i"))
    this.error = make("p", { class: "error", role: "alert" })
    this.error.hidden = true
    this.stage = make("div", { class: "stage", tabindex: "0", role: "group", "aria-label": "Image" })
    this.stage.append(this.canvas, this.layer, this.scale, this.error)
    this.pixel = make("span", { class: "pixel" })
    this.colour = make("span", { class: "colour" }, make("i"), make("span"))
    this.dimensions = make("span", { class: "dimensions" })
    this.announcement = make("span", { class: "announcement", role: "status" })
    const footer = make("div", { class: "footer" }, this.dimensions, this.pixel, this.colour, this.announcement)
    this.root.replaceChildren(toolbar, this.stage, footer)
  }

  /* --- messages from Python */

  async update(message) {
    if (message === this.message) return // only the theme or a callback has changed
    this.message = message
    const { header, pictures } = unpack(message)
    const before = this.header
    const identity = ({ digest, size }) => `${digest} ${size}`
    const samePicture = this.bitmap && before && identity(before) === identity(header)
    if (!samePicture && !(await this.load(message, header, pictures[0]))) return
    this.header = header
    this.showHeader(header)
    if (before?.path !== header.path) {
      this.boxes.endChange()
      this.setDrawing(false)
    }
    const shownBoxes = JSON.stringify([header.path, header.boxes, header.editable])
    if (shownBoxes !== this.shownBoxes) this.boxes.show(this.bitmap ? header.boxes : [], header.editable)
    this.shownBoxes = shownBoxes
    if (before?.path === header.path) return this.moveIntoStage()
    this.fit()
    // a view that opens takes the focus; a view that is always on the page does not
    if (header.closable && document.activeElement === document.body) this.stage.focus()
  }

  /** Decode a picture; the last one stays until then. Return false if a newer message has arrived meanwhile. */
  async load(message, { mime, size, path }, bytes) {
    let bitmap = null
    try {
      // the values in the file, which training reads too; not converted by a colour profile
      bitmap = await createImageBitmap(new Blob([bytes], { type: mime }), { colorSpaceConversion: "none" })
    } catch {
      // reported below
    }
    if (message !== this.message) {
      bitmap?.close()
      return false
    }
    this.bitmap?.close()
    this.bitmap = bitmap
    this.values = null
    this.error.hidden = Boolean(bitmap)
    this.scale.hidden = !bitmap
    this.error.textContent = bitmap ? "" : `The browser cannot show ${path}.`
    const [width, height] = size ?? [bitmap?.width ?? 1, bitmap?.height ?? 1]
    Object.assign(this, { width, height })
    return true
  }

  showHeader({ path, place, previous, next, closable, editable, boxes, height }) {
    this.stage.style.height = `${height}px`
    const name = path.split("/").pop()
    this.title.replaceChildren(make("b", { title: path }, name), place && ` ${place}`)
    this.canvas.setAttribute("aria-label", `${name}, ${this.width} × ${this.height} pixels`)
    this.previous.setAttribute("aria-disabled", !previous)
    this.next.setAttribute("aria-disabled", !next)
    this.stepButtons.hidden = !previous && !next && !place
    this.closeButton.hidden = !closable
    this.boxButtons.hidden = !this.bitmap || (!editable && boxes.length === 0)
    this.drawButton.hidden = !editable
    this.toggle.setAttribute("aria-pressed", !this.layer.hidden)
    this.dimensions.textContent = `${this.width} × ${this.height} pixels`
  }

  /* --- the view: zoom in screen pixels per image pixel; x, y of the image's upper left corner in CSS pixels */

  view() {
    return { x: this.x, y: this.y, scale: this.zoom / devicePixelRatio, width: this.width, height: this.height }
  }

  stageSize() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight }
  }

  zoomToFit() {
    const stage = this.stageSize()
    return Math.min(stage.width / this.width, stage.height / this.height) * devicePixelRatio
  }

  fit() {
    this.fitted = true
    this.zoom = this.zoomToFit()
    this.moveIntoStage()
  }

  zoomTo(zoom, at = { x: this.stageSize().width / 2, y: this.stageSize().height / 2 }) {
    if (!this.header) return
    const minimum = Math.min(1, this.zoomToFit())
    const next = Math.max(minimum, Math.min(MAX_ZOOM, zoom))
    const ratio = next / this.zoom
    this.x = at.x - (at.x - this.x) * ratio
    this.y = at.y - (at.y - this.y) * ratio
    this.zoom = next
    this.fitted = false
    this.moveIntoStage()
  }

  zoomBy(factor, at) {
    this.zoomTo(this.zoom * factor, at)
  }

  panBy(dx, dy) {
    this.x += dx
    this.y += dy
    this.moveIntoStage()
  }

  /** Keep the image in the stage: centred if it is smaller, without a gap if it is larger. */
  moveIntoStage() {
    const stage = this.stageSize()
    const { scale } = this.view()
    const keep = (at, size, space) => (size <= space ? (space - size) / 2 : clamp(at, space - size, 0))
    this.x = keep(this.x, this.width * scale, stage.width)
    this.y = keep(this.y, this.height * scale, stage.height)
    this.paint()
  }

  resize() {
    if (!this.header || !this.visible()) return
    if (this.fitted) this.fit()
    else this.moveIntoStage()
  }

  /** Request a redraw; several changes are drawn in one frame. */
  paint() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined
      if (this.header && this.visible()) this.render()
    })
  }

  render() {
    const { canvas, zoom } = this
    const { x, y, scale } = this.view()
    const [width, height] = Object.values(this.stageSize()).map((side) => Math.round(side * devicePixelRatio))
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    const context = canvas.getContext("2d")
    context.clearRect(0, 0, width, height)
    context.imageSmoothingEnabled = zoom < SQUARE_PIXELS_FROM
    context.imageSmoothingQuality = "medium"
    const corner = [x, y].map((at) => Math.round(at * devicePixelRatio))
    if (this.bitmap) context.drawImage(this.bitmap, ...corner, this.width * zoom, this.height * zoom)
    this.boxes.place()
    this.percent.textContent = `${zoom < 0.1 ? (100 * zoom).toFixed(1) : Math.round(100 * zoom)} %`
    this.renderScale(scale)
    const stage = this.stageSize()
    const larger = this.width * scale > stage.width + 1 || this.height * scale > stage.height + 1
    this.stage.classList.toggle("pannable", larger)
  }

  /** Return whether the stage has a size; it has none while the page is hiding it. */
  visible() {
    const { width, height } = this.stageSize()
    return width > 0 && height > 0
  }

  /** Draw a scale bar of a round number of image pixels, at most 160 CSS pixels or a quarter of the stage wide. */
  renderScale(scale) {
    const maximum = Math.min(160, this.stageSize().width / 4) / scale
    const power = 10 ** Math.floor(Math.log10(maximum))
    const length = [5, 2, 1].map((digit) => digit * power).find((value) => value <= maximum)
    this.scale.lastChild.style.width = `${length * scale}px`
    this.scale.firstChild.textContent = `${+length.toPrecision(1)} px`
  }

  /* --- mouse */

  wheel(event) {
    event.preventDefault()
    const unit = [1, 16, 100][event.deltaMode] // of pixels, lines or pages
    const speed = event.ctrlKey ? 0.01 : 0.0016 // browsers report a pinch on a touch pad as a wheel with Ctrl
    this.zoomBy(Math.exp(-clamp(event.deltaY * unit, -240, 240) * speed), this.positionOf(event))
    this.hover(event)
  }

  positionOf(event) {
    const canvas = this.canvas.getBoundingClientRect()
    return { x: event.clientX - canvas.left, y: event.clientY - canvas.top }
  }

  press(event) {
    if (!this.header || event.button > 1) return
    if (this.stage.classList.contains("drawing") && event.button === 0) {
      this.boxes.startBox(event)
      this.setDrawing(false)
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
    const at = this.positionOf(event)
    const { x, y, scale, width, height } = this.view()
    const pixel = { x: Math.floor((at.x - x) / scale), y: Math.floor((at.y - y) / scale) }
    const inside = pixel.x >= 0 && pixel.y >= 0 && pixel.x < width && pixel.y < height
    this.showPixel(inside && this.bitmap ? pixel : null)
  }

  /** Show position and colour of the pixel under the pointer. */
  showPixel(pixel) {
    this.colour.hidden = !pixel
    this.pixel.textContent = pixel ? `x ${pixel.x}  y ${pixel.y}` : ""
    if (!pixel) return
    this.values ??= this.pixels()
    const at = [(pixel.x * this.bitmap.width) / this.width, (pixel.y * this.bitmap.height) / this.height]
    const [red, green, blue] = this.values.getImageData(...at.map(Math.floor), 1, 1).data
    this.colour.firstChild.style.background = `rgb(${red} ${green} ${blue})`
    this.colour.lastChild.textContent = `R ${red}  G ${green}  B ${blue}`
  }

  /** Return a copy of the image from which single pixels can be read quickly. */
  pixels() {
    const { width, height } = this.bitmap
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
    context.drawImage(this.bitmap, 0, 0)
    return context
  }

  /* --- keyboard */

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
    const actions = {
      "+": () => this.zoomBy(ZOOM_STEP),
      "=": () => this.zoomBy(ZOOM_STEP), // the same key without Shift
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.fit(),
      1: () => this.zoomTo(1),
      b: () => this.showBoxes(this.layer.hidden),
      Escape: () => this.escape(),
    }
    const distance = 0.15 * this.stageSize().width
    if (this.label(event)) return
    if (arrow && (event.shiftKey || arrow[1])) this.panBy(...arrow.map((direction) => direction * distance))
    else if (arrow) this.step(-arrow[0], event)
    else if (actions[event.key]) actions[event.key]()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Give the class of the pressed key to the image, once until Python answers; return whether it is such a key. */
  label(event) {
    const pressed = this.header && labelKey(event, this.header.labels.classes)
    if (pressed === undefined) return false
    event.preventDefault()
    event.stopPropagation()
    if (!event.repeat && this.labelledHeader !== this.header) {
      this.labelledHeader = this.header
      this.announcement.textContent = this.header.labels.classes[pressed]
      giveLabel(this.header.labels, this.header.labels.classes[pressed], [this.header.path], this.setState)
    }
    return true
  }

  /** Handle the left and right arrow keys anywhere on the page, unless the focused element uses them itself. */
  pageArrow(event) {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!direction || !this.isUnusedKey(event)) return
    event.preventDefault()
    this.step(direction, event)
  }

  /** Return whether a key without a modifier has no function in the focused element or an open dialog. */
  isUnusedKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false
    const [target] = event.composedPath()
    const unused = "body, html, main, section, [data-testid=stApp], button:not([role]), a:not([role])"
    if (!(target instanceof Element) || !target.matches(unused)) return false
    const dialog = document.querySelector("[role=dialog]")
    return !dialog || dialog.contains(this.root.getRootNode().host ?? this.root)
  }

  step(direction, event) {
    if (!this.header || !(direction < 0 ? this.header.previous : this.header.next)) return
    if (event?.repeat && event.timeStamp - this.lastStep < STEP_PAUSE_MS) return
    this.lastStep = event?.timeStamp
    this.setTrigger("step", direction)
  }

  escape() {
    if (this.boxes.cancel()) return
    if (this.stage.classList.contains("drawing")) return this.setDrawing(false)
    if (this.header?.closable) this.close()
  }

  /** Release the focus before closing: another element may take it before this view is removed. */
  close() {
    this.root.getRootNode().activeElement?.blur()
    this.setTrigger("close", true)
  }

  /* --- the box */

  showBoxes(shown) {
    if (this.boxButtons.hidden) return
    this.layer.hidden = !shown
    this.toggle.setAttribute("aria-pressed", shown)
    this.paint()
  }

  drawBox(event) {
    this.showBoxes(true)
    if (event.detail) return this.setDrawing(!this.stage.classList.contains("drawing"))
    // pressed by a key: add a box in the middle of the visible part, to be moved by the arrow keys
    const { x, y, scale, ...size } = this.view()
    const stage = this.stageSize()
    const visible = (share, at, side, space) => {
      const [low, high] = [Math.max(0, -at / scale), Math.min(side, (space - at) / scale)]
      return low + share * (high - low)
    }
    const point = (share) => ({
      x: visible(share, x, this.width, stage.width),
      y: visible(share, y, this.height, stage.height),
    })
    this.boxes.addByKeyboard(spannedBox(point(0.25), point(0.75), size))
  }

  setDrawing(on) {
    this.stage.classList.toggle("drawing", on)
    this.drawButton.setAttribute("aria-pressed", on)
    if (on) this.stage.focus({ preventScroll: true })
  }

  destroy() {
    document.removeEventListener("keydown", this.onPage)
    document.removeEventListener("keydown", this.onPageLabel, true)
    this.observer.disconnect()
    cancelAnimationFrame(this.frame)
    this.boxes.endChange()
    this.bitmap?.close()
    this.bitmap = this.header = this.message = null
  }
}

const VIEWS = [
  ["curtain", "Curtain"],
  ["side", "Side by side"],
  ["difference", "Difference"],
  ["after", "After"],
]
const AMPLIFICATION = 4 // as in live.css
const ANSWER_TIMEOUT_MS = 5000 // an answer that late will not arrive: the run was aborted
const KEPT_PICTURES = 8 // two are shown, and Python may return to one that this browser has reported
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }
const RELEASE_EVENTS = ["pointerup", "pointercancel", "blur"] // of the window: the pointer may have left the slider
const RESET_ICON = "M4 4v6h6M5 10a8 8 0 1 1-1 5"
const HELP_ICON = "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.6v.1"

/** Received pictures by digest; they outlive the elements, which React may discard and create again. */
const blobs = new Map()
const views = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement)
  if (!view) views.set(parentElement, (view = new Live(parentElement.querySelector(".live"))))
  view.setState = setStateValue
  view.update(data)
  return () => {
    view.destroy()
    views.delete(parentElement)
  }
}

/** The positions of the slider are the values. */
class Linear {
  limits = {}
  position = (value) => value
  value = (position) => position
}

/** Equal distances along the slider are equal factors of the value, with two significant digits. */
class Logarithmic {
  limits = { min: 0, max: 1, step: "any" }

  constructor(minimum, maximum) {
    this.minimum = minimum
    this.ratio = Math.log(maximum / minimum)
  }

  position(value) {
    return Math.log(value / this.minimum) / this.ratio
  }

  value(position) {
    return Number((this.minimum * Math.exp(position * this.ratio)).toPrecision(2))
  }

  /** Return the next lower (direction -1) or higher (1) value, for the arrow keys. */
  next(value, direction) {
    const unit = 10 ** (Math.floor(Math.log10(value * (direction < 0 ? 1 - 1e-9 : 1 + 1e-9))) - 1)
    return Number((value + direction * unit).toPrecision(3))
  }
}

class Live {
  constructor(root) {
    this.rows = new Map() // by key of the control
    this.values = {}
    this.dragging = false
    this.controls = make("div", { class: "controls" })
    this.tools = make("div", { class: "tools" })
    this.stage = new Stage()
    root.replaceChildren(this.controls, this.tools, this.stage.element)
    this.onRelease = () => this.release()
    for (const event of RELEASE_EVENTS) window.addEventListener(event, this.onRelease)
  }

  destroy() {
    clearTimeout(this.timer)
    for (const event of RELEASE_EVENTS) window.removeEventListener(event, this.onRelease)
  }

  /* --- messages from Python */

  update(message) {
    if (message === this.message) return // only the theme has changed
    const first = !this.message
    this.message = message
    const { header, pictures } = unpack(message)
    header.pictures.forEach(({ digest }, index) => keep(digest, pictures[index]))
    this.shown = header.pictures.map(({ digest }) => digest)
    if (first) {
      this.serial = this.answered = header.answers
      this.settings = loadSettings(header.key)
      this.drawTools()
    }
    this.updateControls(header)
    this.answered = Math.max(this.answered, header.answers)
    this.serial = Math.max(this.serial, header.answers) // an earlier view may have sent more requests
    this.startTimeout()
    this.showTiles.hidden = !header.tile
    this.stage.update(header)
    this.showView()
    // Python assumed that a picture is here, but a reloaded page has lost it: request again with the true list
    if (!this.shown.every((digest) => blobs.has(digest))) this.sent = null
    this.request()
  }

  /** Show the controls that Python declares, with its values if their version is new, else with the user's. */
  updateControls({ controls, values, version, answers }) {
    const isNew = version !== this.version
    this.version = version
    // without a pending request, Python's values hold: it may have clipped ours
    const usePython = isNew || (answers >= this.serial && this.state(this.dragging) === this.sent)
    const old = this.rows
    this.rows = new Map()
    const current = {}
    for (const control of controls) {
      const row = old.get(control.key)
      const same = row && JSON.stringify(row.control) === JSON.stringify(control)
      this.rows.set(control.key, same ? row : this.drawRow(control))
      current[control.key] = usePython || !(control.key in this.values) ? values[control.key] : this.values[control.key]
    }
    this.values = current
    if (isNew) this.sent = this.state(false)
    else if (usePython) this.sent = this.state(this.dragging)
    const elements = [...this.rows.values()].map((row) => row.element)
    if (elements.some((element, index) => this.controls.children[index] !== element) || old.size !== this.rows.size)
      this.controls.replaceChildren(...elements)
    for (const key of this.rows.keys()) this.showValue(key, isNew)
  }

  /* --- requests to Python: one at a time; the last state is always sent */

  state(dragging) {
    return JSON.stringify([this.values, dragging])
  }

  request() {
    const state = this.state(this.dragging)
    if (this.answered < this.serial || state === this.sent) return
    this.sent = state
    this.serial += 1
    this.startTimeout()
    this.setState("request", {
      values: this.values,
      dragging: this.dragging,
      version: this.version,
      serial: this.serial,
      have: this.shown.filter((digest) => blobs.has(digest)),
      side: this.stage.side(),
    })
  }

  startTimeout() {
    clearTimeout(this.timer)
    if (this.serial === this.answered) return
    this.timer = setTimeout(() => {
      this.answered = this.serial
      this.request()
    }, ANSWER_TIMEOUT_MS)
  }

  set(key, value) {
    this.values = { ...this.values, [key]: value }
    this.showValue(key)
    this.request()
  }

  release() {
    if (!this.dragging) return
    this.dragging = false
    this.request()
  }

  /* --- sliders */

  drawRow(control) {
    const { key, label, help, minimum, maximum, step, whole, logarithmic } = control
    const limits = { min: minimum, max: maximum, step }
    const scale = logarithmic ? new Logarithmic(minimum, maximum) : new Linear()
    const id = `control-${key}`
    const range = make("input", { type: "range", id, ...limits, ...scale.limits })
    const field = make("input", { type: "number", "aria-label": `${label}, as a number`, ...limits })
    const title = `Reset to ${control.default}`
    const reset = make("button", { type: "button", class: "reset", title }, makeIcon(RESET_ICON))
    reset.setAttribute("aria-label", `Reset ${label} to ${control.default}`)
    const head = make("div", { class: "head" }, make("label", { for: id }, label))
    if (help) {
      head.append(...makeHelp(`${id}-help`, label, help))
      range.setAttribute("aria-describedby", `${id}-help`)
    }
    const valid = (text) => {
      const value = Math.min(maximum, Math.max(minimum, Number(text)))
      return whole ? Math.round(value) : value
    }
    range.onpointerdown = (event) => {
      this.dragging = event.button === 0
    }
    range.onkeydown = (event) => {
      this.dragging ||= event.repeat // a key that is held down counts as a drag
      const direction = STEPS[event.key]
      if (!direction || !logarithmic) return
      event.preventDefault()
      this.set(key, valid(scale.next(this.values[key], direction)))
    }
    range.oninput = () => this.set(key, valid(scale.value(Number(range.value))))
    range.onkeyup = range.onblur = () => this.release()
    field.oninput = () => {
      const typed = Number(field.value)
      if (field.value !== "" && valid(typed) === typed) this.set(key, typed)
    }
    field.onchange = () => {
      if (field.value !== "") this.set(key, valid(field.value))
      field.value = this.values[key]
    }
    reset.onclick = () => this.set(key, control.default)
    const element = make("div", { class: "control" }, head, make("div", { class: "line" }, range, field, reset))
    return { control, scale, element, range, field, reset }
  }

  showValue(key, isNew = false) {
    const { range, field, reset, control, scale } = this.rows.get(key)
    const value = this.values[key]
    const position = scale.position(value)
    if (Number(range.value) !== position) range.value = position
    range.setAttribute("aria-valuetext", value)
    const typing = field.matches(":focus") && !isNew // do not overwrite an unfinished number
    if (!typing && (field.value === "" || Number(field.value) !== value)) field.value = value
    const [low, high] = [scale.position(control.minimum), scale.position(control.maximum)]
    const share = (position - low) / (high - low)
    range.style.setProperty("--filled", `${100 * share}%`)
    // only made transparent, so that the button keeps the focus after it was pressed
    reset.toggleAttribute("data-idle", value === control.default)
  }

  /* --- view settings: kept in this window, not sent to Python */

  drawTools() {
    const radios = VIEWS.map(([name, title]) => {
      const radio = make("input", { type: "radio", name: "view", value: name })
      radio.checked = name === this.settings.view
      radio.onchange = () => this.changeSettings({ view: name })
      return make("label", {}, radio, make("span", {}, title))
    })
    const checkbox = make("input", { type: "checkbox" })
    checkbox.checked = this.settings.tiles
    checkbox.onchange = () => this.changeSettings({ tiles: checkbox.checked })
    this.showTiles = make("label", { class: "show-tiles" }, checkbox, "Show tiles")
    const group = make("div", { class: "views", role: "radiogroup", "aria-label": "View" }, ...radios)
    this.tools.replaceChildren(group, this.showTiles)
    this.stage.onDivider = (at) => this.changeSettings({ at })
  }

  changeSettings(change) {
    this.settings.change(change)
    this.showView()
  }

  showView() {
    this.stage.show(this.settings)
  }
}

/** The two pictures in one of the views. */
class Stage {
  constructor() {
    this.canvases = [0, 1].map(() => make("canvas", { role: "img", "aria-label": "Picture" }))
    this.overlays = ["before", "after"].map((name) => make("div", { class: `overlay ${name}` }))
    this.captions = [0, 1].map(() => make("span", { class: "caption" }))
    this.grids = [0, 1].map(() => makeGrid())
    this.overlays.forEach((overlay, index) => overlay.append(this.grids[index], this.captions[index]))
    this.divider = make("div", { class: "divider", role: "slider", tabindex: "0", "aria-label": "Divider" })
    this.divider.setAttribute("aria-valuemin", 0)
    this.divider.setAttribute("aria-valuemax", 100)
    this.divider.append(make("span", { class: "grip", "aria-hidden": "true" }))
    this.element = make("div", { class: "stage" })
    this.element.append(make("div", { class: "pictures" }, ...this.canvases), ...this.overlays, this.divider)
    this.element.onpointerdown = (event) => this.startDrag(event)
    this.element.onpointermove = (event) => void (this.pointer === event.pointerId && this.follow(event))
    this.element.onlostpointercapture = () => {
      this.pointer = null
    }
    this.divider.onkeydown = (event) => this.key(event)
    this.drawings = 0
  }

  update({ pictures, size: [width, height], tile }) {
    this.titles = pictures.map(({ caption }) => caption)
    this.element.style.setProperty("--ratio", width / height)
    this.element.dataset.size = `${width} × ${height}`
    pictures.forEach(({ digest }, index) => this.draw(this.canvases[index], digest))
    const lines = tile ? tileBorders(width, height, tile) : ""
    for (const grid of this.grids) {
      grid.setAttribute("viewBox", `0 0 ${width} ${height}`)
      for (const path of grid.children) if (path.getAttribute("d") !== lines) path.setAttribute("d", lines)
    }
  }

  /** Decode a picture and show it; the last one stays until the next one is decoded. */
  async draw(canvas, digest) {
    if (canvas.wanted === digest || !blobs.has(digest)) return
    canvas.wanted = digest
    const number = (this.drawings += 1)
    let bitmap
    try {
      bitmap = await createImageBitmap(blobs.get(digest))
    } catch {
      canvas.wanted = null // damaged in transmission; keep the last picture
      blobs.delete(digest)
      return
    }
    if (number < (canvas.number ?? 0)) return bitmap.close() // a later picture was decoded first
    canvas.number = number
    if (canvas.width !== bitmap.width) canvas.width = bitmap.width
    if (canvas.height !== bitmap.height) canvas.height = bitmap.height
    canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap)
    canvas.dataset.digest = digest
  }

  /** Return the longer side of a shown picture in screen pixels; null for a difference, which needs all pixels. */
  side() {
    if (this.element.dataset.view === "difference") return null
    const { clientWidth, clientHeight } = this.canvases[1]
    return Math.ceil(Math.max(clientWidth, clientHeight) * window.devicePixelRatio)
  }

  show({ view, tiles, at }) {
    this.element.dataset.view = view
    this.element.toggleAttribute("data-tiles", tiles)
    this.element.style.setProperty("--at", `${at}%`)
    this.divider.setAttribute("aria-valuenow", Math.round(at))
    this.divider.setAttribute("aria-valuetext", `${Math.round(at)} % ${this.titles[0]}, the rest ${this.titles[1]}`)
    this.at = at
    this.titles.forEach((title, index) => {
      this.captions[index].textContent = title
      this.canvases[index].setAttribute("aria-label", title)
    })
    if (view === "difference") {
      const caption = `Absolute difference, × ${AMPLIFICATION}`
      this.captions[1].textContent = caption
      this.canvases[1].setAttribute("aria-label", `${caption}: ${this.titles.join(" and ")}`)
    }
  }

  /* --- the divider of the curtain */

  startDrag(event) {
    if (this.element.dataset.view !== "curtain" || event.button !== 0) return
    event.preventDefault()
    this.divider.focus({ preventScroll: true })
    this.pointer = event.pointerId
    this.element.setPointerCapture(event.pointerId)
    this.follow(event)
  }

  follow(event) {
    const { left, width } = this.element.getBoundingClientRect()
    this.move((100 * (event.clientX - left)) / width)
  }

  key(event) {
    const arrows = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2 }
    const steps = { ...arrows, PageDown: -10, PageUp: 10, Home: -100, End: 100 }
    if (!(event.key in steps)) return
    event.preventDefault()
    this.move(this.at + steps[event.key])
  }

  move(at) {
    this.onDivider(Math.min(100, Math.max(0, at)))
  }
}

/* --- parts */

/** Return a help button and its tooltip, which appears on hovering and on focus; Escape hides it. */
function makeHelp(id, label, help) {
  const attributes = { type: "button", class: "help", "aria-label": `About ${label}`, "aria-describedby": id }
  const button = make("button", attributes, makeIcon(HELP_ICON))
  const tooltip = make("span", { class: "tooltip", role: "tooltip", id }, help)
  button.onkeydown = (event) => {
    if (event.key === "Escape") button.toggleAttribute("data-dismissed", true)
  }
  button.onblur = button.onpointerleave = () => button.removeAttribute("data-dismissed")
  return [button, tooltip]
}

/** Return lines over a picture: light on dark, so that they are visible on any background. */
function makeGrid() {
  const holder = make("div")
  holder.innerHTML = '<svg class="grid" aria-hidden="true"><path class="dark"/><path class="light"/></svg>'
  return holder.firstChild
}

/** Return the borders between tiles as a path. The last row and column of tiles may extend beyond the picture. */
function tileBorders(width, height, [across, down]) {
  let path = ""
  for (let x = across; x < width; x += across) path += `M${x} 0V${height}`
  for (let y = down; y < height; y += down) path += `M0 ${y}H${width}`
  return path
}

/** Store a picture as the most recent one, and remove the least recent ones. */
function keep(digest, bytes) {
  const blob = bytes.length ? new Blob([bytes]) : blobs.get(digest)
  if (!blob) return
  blobs.delete(digest)
  blobs.set(digest, blob)
  while (blobs.size > KEPT_PICTURES) blobs.delete(blobs.keys().next().value)
}

/** Return the view settings of this window, which survive a reload. */
function loadSettings(key) {
  const storageKey = `cfu-live-${key}`
  const settings = { view: "curtain", tiles: false, at: 50 }
  try {
    Object.assign(settings, JSON.parse(sessionStorage.getItem(storageKey)))
  } catch {
    // without storage, start with the defaults
  }
  settings.change = (change) => {
    Object.assign(settings, change)
    try {
      sessionStorage.setItem(storageKey, JSON.stringify(settings))
    } catch {
      // as above
    }
  }
  return settings
}

const VIEWS = [
  ["curtain", "Curtain"],
  ["side", "Side by side"],
  ["difference", "Difference"],
  ["after", "After"],
]
const AMPLIFIED = 4 // the same number stands in live.css
const PATIENCE_MS = 5000 // an answer that late is not coming: the run was broken off
const KEPT = 8 // pictures; two are shown, and Python may go back to one that it was told of
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }
const LETTING_GO = ["pointerup", "pointercancel", "blur"] // wherever the pointer is by then
const BACK = "M4 4v6h6M5 10a8 8 0 1 1-1 5"
const WHY = "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.6v.1"

/** Pictures as they came, by digest: React may throw the elements away and make them anew. */
const blobs = new Map()
const views = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement)
  if (!view) views.set(parentElement, (view = new Live(parentElement.querySelector(".live"))))
  view.tell = setStateValue
  view.update(data)
  return () => {
    view.leave()
    views.delete(parentElement)
  }
}

/** A slider's places are the values themselves. */
class Linear {
  limits = {}
  place = (value) => value
  value = (place) => place
}

/** Equal ways along the slider are equal factors of the value; values have two digits that count. */
class Logarithmic {
  limits = { min: 0, max: 1, step: "any" }

  constructor(minimum, maximum) {
    this.minimum = minimum
    this.ratio = Math.log(maximum / minimum)
  }

  place(value) {
    return Math.log(value / this.minimum) / this.ratio
  }

  value(place) {
    return Number((this.minimum * Math.exp(place * this.ratio)).toPrecision(2))
  }

  /** The value before or after, for the arrow keys. */
  next(value, way) {
    const unit = 10 ** (Math.floor(Math.log10(value * (way < 0 ? 1 - 1e-9 : 1 + 1e-9))) - 1)
    return Number((value + way * unit).toPrecision(3))
  }
}

class Live {
  constructor(root) {
    this.rows = new Map() // key of a control -> its row
    this.values = {}
    this.dragging = false
    this.controls = make("div", { class: "controls" })
    this.tools = make("div", { class: "tools" })
    this.stage = new Stage()
    root.replaceChildren(this.controls, this.tools, this.stage.element)
    this.release = () => this.letGo()
    for (const event of LETTING_GO) window.addEventListener(event, this.release)
  }

  leave() {
    clearTimeout(this.timer)
    for (const event of LETTING_GO) window.removeEventListener(event, this.release)
  }

  /* --- what Python sends */

  update(message) {
    if (message === this.message) return // only the theme has changed
    const first = !this.message
    this.message = message
    const { header, pictures } = unpack(message)
    header.pictures.forEach(({ digest }, place) => keep(digest, pictures[place]))
    this.shown = header.pictures.map(({ digest }) => digest)
    if (first) {
      this.serial = this.answered = header.answers
      this.remembered = remembered(header.key)
      this.drawTools()
    }
    this.arrange(header)
    this.answered = Math.max(this.answered, header.answers)
    this.serial = Math.max(this.serial, header.answers) // a view that was here before may have asked for more
    this.wait()
    this.tilesBox.hidden = !header.tile
    this.stage.update(header)
    this.showView()
    // Python believed that a picture was here: the next request says what is. A new page may have it no longer.
    if (!this.shown.every((digest) => blobs.has(digest))) this.sent = null
    this.request()
  }

  /** The controls as Python declares them; its values where they are news to us, else the hand's. */
  arrange({ controls, values, version, answers }) {
    const news = version !== this.version
    this.version = version
    // when nothing is under way, what Python made of our values is the truth: it may have bounded them
    const take = news || (answers >= this.serial && this.state(this.dragging) === this.sent)
    const old = this.rows
    this.rows = new Map()
    const current = {}
    for (const control of controls) {
      const row = old.get(control.key)
      const same = row && JSON.stringify(row.control) === JSON.stringify(control)
      this.rows.set(control.key, same ? row : this.drawRow(control))
      current[control.key] = take || !(control.key in this.values) ? values[control.key] : this.values[control.key]
    }
    this.values = current
    if (news) this.sent = this.state(false)
    else if (take) this.sent = this.state(this.dragging)
    const elements = [...this.rows.values()].map((row) => row.element)
    if (elements.some((element, place) => this.controls.children[place] !== element) || old.size !== this.rows.size)
      this.controls.replaceChildren(...elements)
    for (const key of this.rows.keys()) this.showValue(key, news)
  }

  /* --- what we say: one request at a time, and the last word always */

  state(dragging) {
    return JSON.stringify([this.values, dragging])
  }

  request() {
    const state = this.state(this.dragging)
    if (this.answered < this.serial || state === this.sent) return
    this.sent = state
    this.serial += 1
    this.wait()
    this.tell("said", {
      values: this.values,
      dragging: this.dragging,
      version: this.version,
      serial: this.serial,
      have: this.shown.filter((digest) => blobs.has(digest)),
      side: this.stage.side(),
    })
  }

  wait() {
    clearTimeout(this.timer)
    if (this.serial === this.answered) return
    this.timer = setTimeout(() => {
      this.answered = this.serial
      this.request()
    }, PATIENCE_MS)
  }

  set(key, value) {
    this.values = { ...this.values, [key]: value }
    this.showValue(key)
    this.request()
  }

  letGo() {
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
    const reset = make("button", { type: "button", class: "reset", title: `Back to ${control.default}` }, sign(BACK))
    reset.setAttribute("aria-label", `Reset ${label} to ${control.default}`)
    const head = make("div", { class: "head" }, make("label", { for: id }, label))
    if (help) {
      head.append(...explanation(`${id}-help`, label, help))
      range.setAttribute("aria-describedby", `${id}-help`)
    }
    const admit = (text) => {
      const value = Math.min(maximum, Math.max(minimum, Number(text)))
      return whole ? Math.round(value) : value
    }
    range.onpointerdown = (event) => {
      this.dragging = event.button === 0
    }
    range.onkeydown = (event) => {
      this.dragging ||= event.repeat // a key held down is a drag too
      const way = STEPS[event.key]
      if (!way || !logarithmic) return
      event.preventDefault()
      this.set(key, admit(scale.next(this.values[key], way)))
    }
    range.oninput = () => this.set(key, admit(scale.value(Number(range.value))))
    range.onkeyup = range.onblur = () => this.letGo()
    field.oninput = () => {
      const asked = Number(field.value)
      if (field.value !== "" && admit(asked) === asked) this.set(key, asked)
    }
    field.onchange = () => {
      if (field.value !== "") this.set(key, admit(field.value))
      field.value = this.values[key]
    }
    reset.onclick = () => this.set(key, control.default)
    const element = make("div", { class: "control" }, head, make("div", { class: "line" }, range, field, reset))
    return { control, scale, element, range, field, reset }
  }

  showValue(key, news = false) {
    const { range, field, reset, control, scale } = this.rows.get(key)
    const value = this.values[key]
    const place = scale.place(value)
    if (Number(range.value) !== place) range.value = place
    range.setAttribute("aria-valuetext", value)
    const typing = field.matches(":focus") && !news // half a number is left alone
    if (!typing && (field.value === "" || Number(field.value) !== value)) field.value = value
    const [low, high] = [scale.place(control.minimum), scale.place(control.maximum)]
    const share = (place - low) / (high - low)
    range.style.setProperty("--filled", `${100 * share}%`)
    // hidden from the eye only: whoever just pressed it keeps the focus
    reset.toggleAttribute("data-idle", value === control.default)
  }

  /* --- how it is looked at: kept in this window, of no concern to Python */

  drawTools() {
    const radios = VIEWS.map(([name, title]) => {
      const radio = make("input", { type: "radio", name: "view", value: name })
      radio.checked = name === this.remembered.view
      radio.onchange = () => this.remember({ view: name })
      return make("label", {}, radio, make("span", {}, title))
    })
    const box = make("input", { type: "checkbox" })
    box.checked = this.remembered.tiles
    box.onchange = () => this.remember({ tiles: box.checked })
    this.tilesBox = make("label", { class: "tiles" }, box, "Show tiles")
    this.tools.replaceChildren(make("div", { class: "views", role: "radiogroup", "aria-label": "View" }, ...radios), this.tilesBox)
    this.stage.moved = (at) => this.remember({ at })
  }

  remember(change) {
    this.remembered.change(change)
    this.showView()
  }

  showView() {
    this.stage.show(this.remembered)
  }
}

/** Both pictures, in one of the views. */
class Stage {
  constructor() {
    this.canvases = [0, 1].map(() => make("canvas", { role: "img", "aria-label": "Picture" }))
    this.overlays = [0, 1].map((place) => make("div", { class: `over ${["before", "after"][place]}` }))
    this.captions = [0, 1].map(() => make("span", { class: "caption" }))
    this.grids = [0, 1].map(() => grid())
    this.overlays.forEach((overlay, place) => overlay.append(this.grids[place], this.captions[place]))
    this.divider = make("div", { class: "divider", role: "slider", tabindex: "0", "aria-label": "Divider" })
    this.divider.setAttribute("aria-valuemin", 0)
    this.divider.setAttribute("aria-valuemax", 100)
    this.divider.append(make("span", { class: "grip", "aria-hidden": "true" }))
    this.element = make("div", { class: "stage" })
    this.element.append(make("div", { class: "pictures" }, ...this.canvases), ...this.overlays, this.divider)
    this.element.onpointerdown = (event) => this.grab(event)
    this.element.onpointermove = (event) => void (this.held === event.pointerId && this.follow(event))
    this.element.onlostpointercapture = () => {
      this.held = null
    }
    this.divider.onkeydown = (event) => this.key(event)
    this.turn = 0
  }

  update({ pictures, size: [width, height], tile }) {
    this.titles = pictures.map(({ caption }) => caption)
    this.element.style.setProperty("--ratio", width / height)
    this.element.dataset.size = `${width} × ${height}`
    pictures.forEach(({ digest }, place) => this.draw(this.canvases[place], digest))
    const lines = tile ? borders(width, height, tile) : ""
    for (const lattice of this.grids) {
      lattice.setAttribute("viewBox", `0 0 ${width} ${height}`)
      for (const path of lattice.children) if (path.getAttribute("d") !== lines) path.setAttribute("d", lines)
    }
  }

  /** Decode aside and swap, so that the last picture stays until the next one is whole. */
  async draw(canvas, digest) {
    if (canvas.wanted === digest || !blobs.has(digest)) return
    canvas.wanted = digest
    const turn = (this.turn += 1)
    let bitmap
    try {
      bitmap = await createImageBitmap(blobs.get(digest))
    } catch {
      canvas.wanted = null // broken on the way; the one before stays, the next may be whole
      blobs.delete(digest)
      return
    }
    if (turn < (canvas.turn ?? 0)) return bitmap.close() // a later one was ready sooner
    canvas.turn = turn
    if (canvas.width !== bitmap.width) canvas.width = bitmap.width
    if (canvas.height !== bitmap.height) canvas.height = bitmap.height
    canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap)
    canvas.dataset.digest = digest
  }

  /** The longer side of a picture as it is shown, in pixels of the screen. A difference needs every pixel: null. */
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
    this.titles.forEach((title, place) => {
      this.captions[place].textContent = title
      this.canvases[place].setAttribute("aria-label", title)
    })
    if (view === "difference") {
      const words = `Absolute difference, × ${AMPLIFIED}`
      this.captions[1].textContent = words
      this.canvases[1].setAttribute("aria-label", `${words}: ${this.titles.join(" and ")}`)
    }
  }

  /* --- the divider of the curtain */

  grab(event) {
    if (this.element.dataset.view !== "curtain" || event.button !== 0) return
    event.preventDefault()
    this.divider.focus({ preventScroll: true })
    this.held = event.pointerId
    this.element.setPointerCapture(event.pointerId)
    this.follow(event)
  }

  follow(event) {
    const { left, width } = this.element.getBoundingClientRect()
    this.move((100 * (event.clientX - left)) / width)
  }

  key(event) {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 }
    if (!(event.key in steps)) return
    event.preventDefault()
    this.move(this.at + steps[event.key])
  }

  move(at) {
    this.moved(Math.min(100, Math.max(0, at)))
  }
}

/* --- pieces */

/** A sign to point at or to reach by Tab, and the words that then appear. Escape hides them. */
function explanation(id, label, help) {
  const button = make("button", { type: "button", class: "why", "aria-label": `About ${label}`, "aria-describedby": id }, sign(WHY))
  const tip = make("span", { class: "tip", role: "tooltip", id }, help)
  button.onkeydown = (event) => {
    if (event.key === "Escape") button.toggleAttribute("data-quiet", true)
  }
  button.onblur = button.onpointerleave = () => button.removeAttribute("data-quiet")
  return [button, tip]
}

/** Lines over a picture: dark below, light above, so that they show on every ground. */
function grid() {
  const holder = make("div")
  holder.innerHTML = '<svg class="grid" aria-hidden="true"><path class="dark"/><path class="light"/></svg>'
  return holder.firstChild
}

/** The borders between tiles. A tile at the right or at the bottom may stick out of the picture. */
function borders(width, height, [across, down]) {
  let path = ""
  for (let x = across; x < width; x += across) path += `M${x} 0V${height}`
  for (let y = down; y < height; y += down) path += `M0 ${y}H${width}`
  return path
}

/** Put a picture with the latest; what has not been shown for long goes. */
function keep(digest, bytes) {
  const blob = bytes.length ? new Blob([bytes]) : blobs.get(digest)
  if (!blob) return
  blobs.delete(digest)
  blobs.set(digest, blob)
  while (blobs.size > KEPT) blobs.delete(blobs.keys().next().value)
}

/** View, tiles and divider of the window, also after a reload. */
function remembered(key) {
  const place = `cfu-live-${key}`
  const settings = { view: "curtain", tiles: false, at: 50 }
  try {
    Object.assign(settings, JSON.parse(sessionStorage.getItem(place)))
  } catch {
    // a browser that keeps nothing begins anew
  }
  settings.change = (change) => {
    Object.assign(settings, change)
    try {
      sessionStorage.setItem(place, JSON.stringify(settings))
    } catch {
      // as above
    }
  }
  return settings
}

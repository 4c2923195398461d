const PAUSE_MS = 150 // several clicks in a row make one rerun
const OPEN = "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7"
const CHECK = "M5 12.5l4.5 4.5L19 7.5"
const WARN = "M12 4L2.5 20h19L12 4zM12 10v4.5M12 17.4v.1"
const BROKEN = "M4 5h16v14H4zM4 16l4-4 3 3 3-4 6 6M5 4l15 16"

/** What is chosen, by the key of the grid: it outlives the grid's elements, which a page may take away for a while. */
const choices = new Map()
const grids = new WeakMap()

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let grid = grids.get(parentElement)
  if (!grid) grids.set(parentElement, (grid = new Grid(parentElement.querySelector(".tiles"))))
  grid.tell = setStateValue
  grid.fire = setTriggerValue
  grid.update(data)
  return () => {
    grid.leave()
    grids.delete(parentElement)
  }
}

class Grid {
  constructor(root) {
    this.tiles = new Map() // id -> { item, element, url }, in the order shown
    this.list = make("div", { class: "list", role: "listbox", "aria-multiselectable": "true" })
    this.note = make("p", { class: "note" })
    this.tip = make("div", { class: "tip", role: "tooltip" })
    this.tip.hidden = true
    root.replaceChildren(this.list, this.note, this.tip)
    this.list.onclick = (event) => this.click(event)
    this.list.ondblclick = (event) => this.at(event) && this.open(this.at(event))
    this.list.onkeydown = (event) => this.key(event)
    this.list.onpointerover = (event) => this.showTip(event.target.closest(".warn")?.closest(".tile"))
    this.list.onpointerleave = () => {
      this.showTip(null)
      this.flush() // whoever goes for a button has chosen
    }
    this.list.addEventListener("focusin", (event) => this.focused(event.target.closest(".tile")))
    this.list.addEventListener("focusout", () => {
      this.showTip(null)
      this.flush()
    })
  }

  /* --- what Python sends */

  update(message) {
    if (message === this.message) return // only the theme or a callback has changed
    const isNew = !this.message
    this.message = message
    const { header, pictures } = unpack(message)
    this.list.style.setProperty("--size", `${header.size}px`)
    this.list.style.setProperty("--ratio", header.ratio)
    this.list.setAttribute("aria-label", header.label)
    this.note.textContent = header.empty
    this.list.hidden = header.items.length === 0
    this.note.hidden = !this.list.hidden
    this.choose(header)
    this.arrange(header.items, pictures)
    if (isNew) this.comeBack()
    this.show()
  }

  /** After a visit to one image, go on at its tile. */
  comeBack() {
    const { opened } = this.choice
    this.choice.opened = undefined
    if (!this.tiles.has(opened)) return
    this.current = opened
    if (document.activeElement === document.body) this.tiles.get(opened).element.focus()
  }

  /** Take over Python's choice where it is news; otherwise the person's stands. */
  choose({ key, version, selected }) {
    const known = choices.get(key)
    if (known?.version !== version) {
      clearTimeout(this.timer)
      choices.set(key, { version, ids: new Set(selected), told: selected.join("\n"), opened: known?.opened })
    }
    this.choice = choices.get(key)
  }

  /** Keep the elements whose tiles are the same, change or make the others, and drop the rest. */
  arrange(items, pictures) {
    const before = this.tiles
    const hadFocus = this.list.contains(this.list.getRootNode().activeElement)
    const staying = new Set(items.map((item) => item.id))
    for (const [id, tile] of before) staying.has(id) || discard(tile)
    this.tiles = new Map()
    items.forEach((item, place) => {
      const tile = before.get(item.id) ?? { element: make("div", { class: "tile", role: "option", tabindex: "-1" }) }
      if (JSON.stringify(tile.item) !== JSON.stringify(item)) fill(tile, item, pictures[place])
      tile.element.dataset.id = item.id
      this.tiles.set(item.id, tile)
      const there = this.list.children[place] ?? null
      if (there !== tile.element) this.list.insertBefore(tile.element, there)
    })
    if (!this.tiles.has(this.current)) {
      this.current = items[0]?.id
      if (hadFocus) this.tiles.get(this.current)?.element.focus()
    }
    if (!this.tiles.has(this.anchor)) this.anchor = undefined
  }

  show() {
    for (const [id, { element }] of this.tiles) {
      element.setAttribute("aria-selected", this.choice.ids.has(id))
      element.tabIndex = id === this.current ? 0 : -1
    }
  }

  /* --- what the person does */

  at(event) {
    return event.target.closest(".tile")?.dataset.id
  }

  click(event) {
    const id = this.at(event)
    if (id === undefined) return
    if (event.target.closest(".open")) return void (event.detail < 2 && this.open(id))
    this.current = id
    if (event.shiftKey) this.range(id)
    else this.toggle(id)
  }

  key(event) {
    const id = this.at(event)
    if (id === undefined || event.altKey) return
    const command = event.ctrlKey || event.metaKey
    const ids = [...this.tiles.keys()]
    const place = ids.indexOf(id)
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length
    const last = ids.length - 1
    const hasRowBelow = place - (place % columns) + columns <= last
    const target = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place - columns,
      ArrowDown: hasRowBelow ? Math.min(place + columns, last) : place,
      Home: 0,
      End: last,
    }[event.key]
    if (target !== undefined) {
      const next = ids[target]
      if (next !== undefined) {
        if (event.shiftKey) this.anchor ??= id
        this.tiles.get(next).element.focus()
        if (event.shiftKey) this.range(next)
      }
    } else if (event.key === " ") event.shiftKey ? this.range(id) : this.toggle(id)
    else if (event.key === "Enter") this.open(id)
    else if (event.key.toLowerCase() === "a" && command) this.change((chosen) => ids.forEach((one) => chosen.add(one)))
    else if (event.key === "Escape" && this.choice.ids.size) this.change((chosen) => chosen.clear())
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  focused(element) {
    if (!element) return
    this.current = element.dataset.id
    this.show()
    if (element.matches(":focus-visible")) this.showTip(element)
  }

  toggle(id) {
    this.anchor = id
    this.change((chosen) => chosen.delete(id) || chosen.add(id))
  }

  /** Choose all from the last tile that was chosen by itself to this one. */
  range(id) {
    const ids = [...this.tiles.keys()]
    const ends = [ids.indexOf(this.anchor ?? id), ids.indexOf(id)]
    this.change((chosen) => ids.slice(Math.min(...ends), Math.max(...ends) + 1).forEach((each) => chosen.add(each)))
  }

  change(how) {
    how(this.choice.ids)
    this.show()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.flush(), PAUSE_MS)
  }

  /** Tell Python what is chosen, if it does not know. */
  flush() {
    clearTimeout(this.timer)
    if (!this.choice) return
    const ids = [...this.choice.ids]
    if (ids.join("\n") === this.choice.told) return
    this.choice.told = ids.join("\n")
    this.tell("selected", { version: this.choice.version, ids })
  }

  open(id) {
    this.flush()
    this.choice.opened = id
    this.tiles.get(id).element.blur() // the large view takes the keyboard
    this.fire("opened", id)
  }

  /** The warning of a tile, above its sign and within the grid. */
  showTip(element) {
    const text = element && this.tiles.get(element.dataset.id)?.item.warning
    this.tip.hidden = !text
    if (!text) return
    this.tip.textContent = text
    const warn = element.querySelector(".warn").getBoundingClientRect()
    const room = this.tip.parentElement.getBoundingClientRect()
    const left = warn.left + warn.width / 2 - room.left - this.tip.offsetWidth / 2
    this.tip.style.left = `${Math.max(0, Math.min(left, room.width - this.tip.offsetWidth))}px`
    this.tip.style.top = `${warn.top - room.top - this.tip.offsetHeight - 6}px`
  }

  leave() {
    clearTimeout(this.timer)
    for (const tile of this.tiles.values()) discard(tile)
  }
}

/** Draw a tile, or draw it anew; its picture stays where it is the same. */
function fill(tile, item, picture) {
  if (tile.item?.digest !== item.digest || !tile.picture) {
    if (tile.url) URL.revokeObjectURL(tile.url)
    const type = picture[0] === 0x89 ? "image/png" : "image/jpeg"
    tile.url = item.digest && URL.createObjectURL(new Blob([picture], { type }))
    tile.picture = item.digest
      ? make("img", { src: tile.url, alt: "", loading: "lazy", decoding: "async", draggable: "false" })
      : make("span", { class: "broken" }, sign(BROKEN))
  }
  tile.item = item
  const open = make("span", { class: "open", title: "Open large (Enter)", "aria-hidden": "true" }, sign(OPEN))
  const check = make("span", { class: "check", "aria-hidden": "true" }, sign(CHECK))
  const frame = make("span", { class: "frame" }, tile.picture, check, open)
  if (item.warning) frame.append(make("span", { class: "warn" }, sign(WARN)))
  const line = make("span", { class: "line" }, make("span", { class: "title", title: item.title }, item.title))
  if (item.badge) line.append(make("span", { class: "badge" }, item.badge))
  tile.element.replaceChildren(frame, line)
  if (item.subtitle) tile.element.append(make("span", { class: "subtitle", title: item.subtitle }, item.subtitle))
  tile.element.classList.toggle("excluded", item.excluded)
  const facts = [item.title, item.subtitle, item.badge, item.excluded && "excluded", item.warning]
  tile.element.setAttribute("aria-label", facts.filter(Boolean).join(", "))
}

function discard(tile) {
  if (tile.url) URL.revokeObjectURL(tile.url)
  tile.element.remove()
}

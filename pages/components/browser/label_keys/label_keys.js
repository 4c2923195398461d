/** Labels given by key, by the key of the component; `pending` are those that Python has not confirmed. */
const givenLabels = new Map()

/**
 * Give a label to images. All labels that Python has not confirmed are sent each time, so that none is lost if the next
 * key is pressed while the page is updated.
 */
function giveLabel({ key, confirmed }, pressed, ids, setState) {
  const given = givenLabels.get(key) ?? { count: 0, pending: [] }
  givenLabels.set(key, given)
  given.count = Math.max(given.count, confirmed) + 1
  given.pending = [...given.pending.filter((each) => each.number > confirmed), { number: given.count, key: pressed, ids }]
  setState("labels", given.pending)
}

/** Return the pressed key if it stands for a class and is pressed without a modifier. */
function labelKey(event, classes) {
  const pressed = event.key.toLowerCase()
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey
  return plain && Object.hasOwn(classes, pressed) ? pressed : undefined
}

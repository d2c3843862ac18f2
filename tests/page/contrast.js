(() => {
  const colour = text => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number)
    return { rgb: [red, green, blue], alpha }
  }
  const light = ({ rgb }) => {
    const [red, green, blue] = rgb.map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const ground = colour(getComputedStyle(at).backgroundColor)
      if (ground.alpha === 1) return ground
    }
    return { rgb: [255, 255, 255], alpha: 1 }
  }
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
  const faint = []
  for (const element of document.body.querySelectorAll('*')) {
    const isShown = element.checkVisibility() && !element.closest('svg')
    if (!isShown || !hasText(element)) continue
    const style = getComputedStyle(element)
    const [one, other] = [light(colour(style.color)), light(behind(element))].sort((a, b) => b - a)
    const contrast = (one + 0.05) / (other + 0.05)
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700)
    if (contrast < (isLarge ? 3 : 4.5)) faint.push(`${element.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`)
  }
  return faint
})()

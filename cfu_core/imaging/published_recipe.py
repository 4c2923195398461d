"""How a recipe differs from the preprocessing that the paper describes."""

from cfu_core.imaging.recipe import Recipe

THIN_MARGIN = 0.1  # the paper says "a thin margin" and gives no number; a tenth of the colony is taken as the limit


def recipe_departures(recipe: Recipe) -> list[str]:
    """Return in words how a recipe departs from Zamani et al. (2023): crop with a thin margin, then CLAHE.

    The paper states neither clip limit nor tiles, so no value of these is a departure.

    Returns
    -------
    list of str
        Empty where there is no departure.
    """
    found = []
    if recipe.background != "none":
        found.append("the light is evened out")
    if recipe.colour != "none":
        found.append("the background is made grey" if recipe.colour == "neutral" else "stains are normalised")
    if not recipe.crop:
        found.append("the images are not cropped")
    elif recipe.margin > THIN_MARGIN:
        found.append(f"the margin is {recipe.margin:.0%} of the colony, not thin")
    if recipe.contrast != "clahe":
        found.append("there is no contrast step" if recipe.contrast == "none" else "the contrast step is not CLAHE")
    return found

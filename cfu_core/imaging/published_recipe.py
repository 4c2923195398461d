"""Differences between a recipe and the preprocessing that the paper describes."""

from cfu_core.imaging.recipe import Recipe

THIN_MARGIN = 0.1  # the paper says "a thin margin" and gives no number; a tenth of the colony is taken as the limit


def recipe_departures(recipe: Recipe) -> list[str]:
    """List the differences between a recipe and the preprocessing of Zamani et al. (2023).

    The paper crops the images with a thin margin and then applies CLAHE. It states neither clip limit nor tiles, so
    all values of these are accepted. Margins of more than `THIN_MARGIN` count as a difference.

    Parameters
    ----------
    recipe : Recipe
        Its size is not compared.

    Returns
    -------
    list of str
        One clause for each difference, without capital letter and full stop, such as "the images are not cropped".
        Empty if there is no difference.
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

"""The audit of a dataset: everything that is wrong or may be wrong with it, with reasons, images and remedies.

The findings follow from tables (the dataset, its survey, its split); no image is opened.
"""

from cfu_core.dataset.audit.class_sizes import small_classes
from cfu_core.dataset.audit.copies_and_leaks import copy_findings
from cfu_core.dataset.audit.decoder_warnings import decoder_warnings
from cfu_core.dataset.audit.divided_groups import divided_groups, unknown_groups
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.audit.image_quality import blurred, exposed, unreadable, unusual_size
from cfu_core.dataset.audit.left_out_files import left_out
from cfu_core.dataset.audit.unlabelled import unlabelled
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split
from cfu_core.dataset.survey.survey import Survey


def audit(dataset: Dataset, survey: Survey, split: Split) -> list[Finding]:
    """Return all findings about a dataset, the most severe first.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are ignored.
    survey : Survey
        Survey of this dataset in the same version, with one row per image of ``dataset.images``. An image that is not
        yet measured can only be in findings about its size and byte-identical copies.
    split : Split
        Split of this dataset in the same version. It determines the leaks and the number of test images of a class.

    Returns
    -------
    list of Finding
        Errors, then warnings, then information. Within a severity: files that were left out, unreadable
        images, images with warnings of the decoder, copies, divided groups, blurred images, badly exposed
        images, unusual sizes, small classes, no groups, images without a class. Empty if nothing was found, or all
        images are excluded.
    """
    if dataset.images.empty:
        return []
    images = dataset.images.assign(partition=dataset.images["path"].map(split.assignment))
    findings = [
        *left_out(dataset),
        *unreadable(images, survey),
        *decoder_warnings(images, survey),
        *copy_findings(images, survey.copies),
        *divided_groups(images, dataset.partitions),
        *blurred(images, survey),
        *exposed(images, survey),
        *unusual_size(images),
        *small_classes(dataset.counts, split),
        *unknown_groups(images),
        *unlabelled(images),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: order[finding.severity])

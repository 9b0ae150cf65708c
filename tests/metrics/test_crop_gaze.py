import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from golden_rule import Golden
from regard.metrics.crop_gaze import crop_angle_published, crop_auc_published


def test_angle_and_auc_are_the_published_ones_and_unknown_beside_the_crop() -> None:
    golden = Golden.read("mfnet_coord_loss")
    predicted, point = (torch.from_numpy(golden.arrays[name]) for name in ("pred_px", "target_px"))
    for found, name in ((crop_angle_published, "aae_deg"), (crop_auc_published, "auc")):
        wanted = torch.from_numpy(golden.arrays[name])
        assert 0 < int(wanted.isnan().sum()) < wanted.numel()
        torch.testing.assert_close(found(predicted, point), wanted, atol=2e-5, rtol=1e-6, equal_nan=True)


def test_the_auc_is_that_of_a_blurred_point_by_another_hand() -> None:
    predicted, point = torch.tensor([[30.7, 150.2], [200.0, 10.0]]), torch.tensor([[40.0, 160.9], [199.0, 40.0]])
    for at, gaze, auc in zip(predicted, point, crop_auc_published(predicted, point), strict=True):
        picture = np.zeros((224, 224))
        picture[int(at[1]), int(at[0])] = 1
        bump = gaussian_filter(picture, 14)
        np.testing.assert_allclose(auc, 1 - (bump > bump[int(gaze[1]), int(gaze[0])]).mean(), atol=1e-4)


def test_the_middle_is_0_degrees_from_itself_and_the_side_30() -> None:
    middle = torch.tensor([112.0, 112.0])
    assert crop_angle_published(middle, middle) == 0
    torch.testing.assert_close(crop_angle_published(middle, torch.tensor([0.0, 112.0])), torch.tensor(30.0))
    assert crop_angle_published(middle, torch.tensor([torch.nan, 1.0])).isnan()
    assert crop_auc_published(middle, torch.tensor([224.0, 1.0])).isnan()

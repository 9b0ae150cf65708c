"""What is found about a recording, as Python prints it."""

from regard.io.finding import Finding, RecordingCheck


def test_a_check_prints_a_line_a_finding_and_the_verdict():
    findings = (
        Finding(level="ok", name="frames", text="3 frames in 0.10 s"),
        Finding(level="warning", name="gaze gaps", text="2 pauses", value=2.0),
    )
    assert repr(RecordingCheck(findings=findings)).splitlines() == [
        "ok       frames     3 frames in 0.10 s",
        "warning  gaze gaps  2 pauses",
        "usable with warnings",
    ]
    assert repr(RecordingCheck(findings=())) == "usable"

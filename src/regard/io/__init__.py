"""Files -> nouns: recordings of every known layout, their pictures and sound by time, tables, and writing."""

from regard.io.check import check_recording
from regard.io.files import writing
from regard.io.finding import Finding, RecordingCheck
from regard.io.media.sound import Sound
from regard.io.media.video import Video
from regard.io.media.writer import FilmWriter
from regard.io.predictions import read_prediction, write_prediction
from regard.io.recording import open_recording, open_sound, open_video
from regard.io.tables import read_table, write_table

__all__ = [
    "FilmWriter",
    "Finding",
    "RecordingCheck",
    "Sound",
    "Video",
    "check_recording",
    "open_recording",
    "open_sound",
    "open_video",
    "read_prediction",
    "read_table",
    "write_prediction",
    "write_table",
    "writing",
]

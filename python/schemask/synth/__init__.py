"""Synthetic training data: a teacher writes conversations that call given tools, and stages refine
them.
"""

from schemask.synth.conversations import Report, check, generate
from schemask.synth.kinds import Kind
from schemask.synth.outcomes import Outcome, Stage
from schemask.synth.requests import TeacherRequest
from schemask.synth.stages import StageReport, run_stage
from schemask.synth.teachers import Teacher

__all__ = [
    "Kind",
    "Outcome",
    "Report",
    "Stage",
    "StageReport",
    "Teacher",
    "TeacherRequest",
    "check",
    "generate",
    "run_stage",
]

"""Synthetic training data: a teacher writes conversations that call given tools, and stages refine
them.
"""

from schemask.synth.augment import Augment
from schemask.synth.conversations import Report, check, generate
from schemask.synth.decontaminate import Decontaminate
from schemask.synth.duplicates import Deduplicate
from schemask.synth.everyday_tools import everyday
from schemask.synth.execute import Execute
from schemask.synth.ground import Ground
from schemask.synth.importers import SHAPES, Import
from schemask.synth.judge import Judge
from schemask.synth.kinds import Kind
from schemask.synth.outcomes import Outcome, Stage
from schemask.synth.pair import FAULTS, Pair
from schemask.synth.paraphrase import ModelParaphraser
from schemask.synth.phrasebook import Phrasebook
from schemask.synth.ray import RayCluster, run_pipeline
from schemask.synth.requests import TeacherRequest
from schemask.synth.stages import StageReport, run_stage, run_stages
from schemask.synth.teachers import Teacher
from schemask.synth.withheld import Withheld, WithheldText, WithheldTool, read_records

__all__ = [
    "FAULTS",
    "SHAPES",
    "Augment",
    "Decontaminate",
    "Deduplicate",
    "Execute",
    "Ground",
    "Import",
    "Judge",
    "Kind",
    "ModelParaphraser",
    "Outcome",
    "Pair",
    "Phrasebook",
    "RayCluster",
    "Report",
    "Stage",
    "StageReport",
    "Teacher",
    "TeacherRequest",
    "Withheld",
    "WithheldText",
    "WithheldTool",
    "check",
    "everyday",
    "generate",
    "read_records",
    "run_pipeline",
    "run_stage",
    "run_stages",
]

"""Synthetic training data: a teacher writes conversations that call given tools."""

from schemask.synth.conversations import Report, Teacher, TeacherRequest, check, generate
from schemask.synth.prompts import Kind

__all__ = ["Kind", "Report", "Teacher", "TeacherRequest", "check", "generate"]

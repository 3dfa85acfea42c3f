"""The console's own duties; what its pages do is under the duties of the apps."""

NEUTRAL = ["console.list.export", "console.job.manage"]

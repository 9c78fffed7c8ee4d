"""preload"""
import gc
import intune_pipeline.definitions
gc.collect()
gc.freeze()

create database dagster owner intune;

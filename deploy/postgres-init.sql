create database mlflow owner vp;

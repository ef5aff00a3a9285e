"""Video clips and volumes: C3D, video-caffe."""

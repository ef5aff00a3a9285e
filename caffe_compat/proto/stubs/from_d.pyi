# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from collections.abc import Iterable
from caffe_compat.proto.stubs.base import (Enum, Fields, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_a import (BlockParameter, ColorJitterTransformationParameter)
from caffe_compat.proto.stubs.from_m import (SaveOutputParameter)
from caffe_compat.proto.stubs.from_s import (Slice, UnsupervisedInitialization)
from caffe_compat.proto.stubs.stock import (EltwiseParameter, FillerParameter, NetParameter)

class DownsamplingParameter(Message):
    kernel_size: int
    kernel_h: int
    kernel_w: int
    def __init__(self, *, kernel_size: int = ..., kernel_h: int = ..., kernel_w: int = ...) -> None: ...

class DriveDataParameter(Message):
    shrink_prob_factor: float
    unrecognize_factor: float
    crop_num: int
    random_crop_ratio: float
    resize: float
    scale: float
    cropped_height: int
    cropped_width: int
    tiling_width: int
    tiling_height: int
    label_resolution: int
    catalog_resolution: int
    catalog_number: int
    resize_max: float
    resize_min: float
    reco_max: float
    reco_min: float
    train_max: float
    train_min: float
    genlist_file: str
    gen_rate: float
    blur_max: float
    noise_max: float
    gamma_max: float
    k_max: float
    y0_max: float
    shrink_max: float
    slip_max: float
    gen_scale: float
    use_mask: bool
    hm_random_crop_ratio: float
    hm_perid: int
    ignore_bbox_scale: float
    def __init__(self, *, shrink_prob_factor: float = ..., unrecognize_factor: float = ...,
        crop_num: int = ..., random_crop_ratio: float = ..., resize: float = ..., scale: float = ...,
        cropped_height: int = ..., cropped_width: int = ..., tiling_width: int = ...,
        tiling_height: int = ..., label_resolution: int = ..., catalog_resolution: int = ...,
        catalog_number: int = ..., resize_max: float = ..., resize_min: float = ..., reco_max: float = ...,
        reco_min: float = ..., train_max: float = ..., train_min: float = ..., genlist_file: str = ...,
        gen_rate: float = ..., blur_max: float = ..., noise_max: float = ..., gamma_max: float = ...,
        k_max: float = ..., y0_max: float = ..., shrink_max: float = ..., slip_max: float = ...,
        gen_scale: float = ..., use_mask: bool = ..., hm_random_crop_ratio: float = ..., hm_perid: int = ...,
        ignore_bbox_scale: float = ...) -> None: ...

class DropBlockParameter(Message):
    keep_prob: float
    block_size: int
    def __init__(self, *, keep_prob: float = ..., block_size: int = ...) -> None: ...

class DSALossParameter(Message):
    faceid_num: int
    seqid_num: int
    center_filler: FillerParameter
    axis: int
    dropout_ratio: float
    gamma: float
    alpha: float
    beta: float
    use_normalize: bool
    scale: float
    center_iter: int
    diff_iter: int
    def __init__(self, *, faceid_num: int = ..., seqid_num: int = ...,
        center_filler: FillerParameter | Fields = ..., axis: int = ..., dropout_ratio: float = ...,
        gamma: float = ..., alpha: float = ..., beta: float = ..., use_normalize: bool = ...,
        scale: float = ..., center_iter: int = ..., diff_iter: int = ...) -> None: ...

class DtowParameter(Message):
    DtowMethod: Enum
    MDTOW: int
    MWTOD: int
    LDTOW: int
    LWTOD: int
    psize: int
    method: int
    ngroup: int
    def __init__(self, *, psize: int = ..., method: int | str = ..., ngroup: int = ...) -> None: ...

class DuplicateParameter(Message):
    axis: int
    coeff: int
    num: int
    height: float
    width: float
    def __init__(self, *, axis: int = ..., coeff: int = ..., num: int = ..., height: float = ...,
        width: float = ...) -> None: ...

class DynamicRoutingParameter(Message):
    routing_num: int
    input_capsule_num: int
    output_capsule_dim: int
    output_capsule_num: int
    def __init__(self, *, routing_num: int = ..., input_capsule_num: int = ..., output_capsule_dim: int = ...,
        output_capsule_num: int = ...) -> None: ...

class EleOptParameter(Message):
    EleMethod: Enum
    SQR: int
    SQRT: int
    method: int
    def __init__(self, *, method: int | str = ...) -> None: ...

class EltwiseAccuracyParameter(Message):
    top_k: int
    ignore_label: int
    def __init__(self, *, top_k: int = ..., ignore_label: int = ...) -> None: ...

class EltwiseAffineParameter(Message):
    slope_filler: FillerParameter
    bias_filler: FillerParameter
    channel_shared: bool
    def __init__(self, *, slope_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., channel_shared: bool = ...) -> None: ...

class EltwiseDivisionLayerParameter(Message):
    epsilon: float
    def __init__(self, *, epsilon: float = ...) -> None: ...

class EltwiseWithFillerParameter(Message):
    filler: FillerParameter
    eltwise: EltwiseParameter
    def __init__(self, *, filler: FillerParameter | Fields = ...,
        eltwise: EltwiseParameter | Fields = ...) -> None: ...

class EmitConstraint(Message):
    EmitType: Enum
    CENTER: int
    MIN_OVERLAP: int
    CORNER: int
    DIAG_CENTER: int
    emit_type: int
    emit_overlap: float
    def __init__(self, *, emit_type: int | str = ..., emit_overlap: float = ...) -> None: ...

class EntropyBottleneckParameter(Message):
    init_scale: float
    nout: int
    tail_mass: float
    optimize_integer_offset: bool
    likelihood_bound: float
    nlayers: int
    def __init__(self, *, init_scale: float = ..., nout: int = ..., tail_mass: float = ...,
        optimize_integer_offset: bool = ..., likelihood_bound: float = ..., nlayers: int = ...) -> None: ...

class EntropyLossParameter(Message):
    EntropyMethod: Enum
    LAPLACIAN: int
    GAUSSIAN: int
    moving_average_fraction: float
    threshold: float
    weight: float
    method: int
    def __init__(self, *, moving_average_fraction: float = ..., threshold: float = ..., weight: float = ...,
        method: int | str = ...) -> None: ...

class EntropyPackParameter(Message):
    kernel: int
    channels: int
    samples: int
    def __init__(self, *, kernel: int = ..., channels: int = ..., samples: int = ...) -> None: ...

class EuclideanLossParameter(Message):
    Type: Enum
    L2: int
    L2sqrt: int
    coeff: float
    type: int
    def __init__(self, *, coeff: float = ..., type: int | str = ...) -> None: ...

class EuclideanParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    engine: int
    threshold_ignore: float
    bool_ignore: bool
    def __init__(self, *, engine: int | str = ..., threshold_ignore: float = ...,
        bool_ignore: bool = ...) -> None: ...

class EuclideanWeightLossParameter(Message):
    dh: int
    dw: int
    rh: float
    rw: float
    def __init__(self, *, dh: int = ..., dw: int = ..., rh: float = ..., rw: float = ...) -> None: ...

class EuclideanWithTvParameter(Message):
    ...

class EvalDataParameter(Message):
    source: str
    scale: float
    batch_size: int
    resize_width: int
    resize_height: int
    short_size: int
    long_size: int
    root_folder: str
    def __init__(self, *, source: str = ..., scale: float = ..., batch_size: int = ...,
        resize_width: int = ..., resize_height: int = ..., short_size: int = ..., long_size: int = ...,
        root_folder: str = ...) -> None: ...

class EvalDetectionParameter(Message):
    ScoreType: Enum
    OBJ: int
    PROB: int
    MULTIPLY: int
    side: int
    num_class: int
    num_object: int
    threshold: float
    sqrt: bool
    constriant: bool
    score_type: int
    nms: float
    biases: Scalars[float]
    def __init__(self, *, side: int = ..., num_class: int = ..., num_object: int = ...,
        threshold: float = ..., sqrt: bool = ..., constriant: bool = ..., score_type: int | str = ...,
        nms: float = ..., biases: Iterable[float] = ...) -> None: ...

class ExpansionParameter(Message):
    prob: float
    max_expand_ratio: float
    def __init__(self, *, prob: float = ..., max_expand_ratio: float = ...) -> None: ...

class ExpMaxParameter(Message):
    base: float
    scale: float
    shift: float
    def __init__(self, *, base: float = ..., scale: float = ..., shift: float = ...) -> None: ...

class FaceImageParameter(Message):
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    triplet_ver: bool
    root_folder: str
    def __init__(self, *, source: str = ..., batch_size: int = ..., rand_skip: int = ..., shuffle: bool = ...,
        triplet_ver: bool = ..., root_folder: str = ...) -> None: ...

class FakeEmbedJpegParameter(Message):
    size_inter: int
    sigma_inter: float
    size_intra: int
    sigma_intra: float
    inter_only: bool
    def __init__(self, *, size_inter: int = ..., sigma_inter: float = ..., size_intra: int = ...,
        sigma_intra: float = ..., inter_only: bool = ...) -> None: ...

class FakeEmbedSpatialParameter(Message):
    size: int
    sigma: float
    def __init__(self, *, size: int = ..., sigma: float = ...) -> None: ...

class FAPPYLossParameter(Message):
    delta: float
    def __init__(self, *, delta: float = ...) -> None: ...

class FCNDataParameter(Message):
    template_h: int
    template_w: int
    expand_left: float
    expand_right: float
    expand_top: float
    expand_bottom: float
    roi_multiply_h: float
    roi_multiply_w: float
    scale_step: float
    scale_step_num: int
    gaussian_size_h: int
    gaussian_size_w: int
    gaussian_std_h: float
    gaussian_std_w: float
    use_hog: bool
    hog_cell_size: int
    min_iou: float
    def __init__(self, *, template_h: int = ..., template_w: int = ..., expand_left: float = ...,
        expand_right: float = ..., expand_top: float = ..., expand_bottom: float = ...,
        roi_multiply_h: float = ..., roi_multiply_w: float = ..., scale_step: float = ...,
        scale_step_num: int = ..., gaussian_size_h: int = ..., gaussian_size_w: int = ...,
        gaussian_std_h: float = ..., gaussian_std_w: float = ..., use_hog: bool = ...,
        hog_cell_size: int = ..., min_iou: float = ...) -> None: ...

class FeatureDecayLossParameter(Message):
    decay_threshold: float
    force_decay: bool
    def __init__(self, *, decay_threshold: float = ..., force_decay: bool = ...) -> None: ...

class FeatureRegistrationParameter(Message):
    featureMapId: str
    def __init__(self, *, featureMapId: str = ...) -> None: ...

class FidaConvParameter(Message):
    FidelityBackend: Enum
    AUTO: int
    CONV: int
    POOL: int
    compute_fidelity_once: bool
    mean_removal: bool
    mean_adding_back: bool
    back_scaling_up: bool
    pre_scaled: bool
    fidelity_backend: int
    channel_as_geo: bool
    def __init__(self, *, compute_fidelity_once: bool = ..., mean_removal: bool = ...,
        mean_adding_back: bool = ..., back_scaling_up: bool = ..., pre_scaled: bool = ...,
        fidelity_backend: int | str = ..., channel_as_geo: bool = ...) -> None: ...

class FilterMapParameter(Message):
    map_height: int
    map_width: int
    def __init__(self, *, map_height: int = ..., map_width: int = ...) -> None: ...

class FilterParameter(Message):
    num_output: int
    def __init__(self, *, num_output: int = ...) -> None: ...

class FlipParameter(Message):
    flip_width: bool
    flip_height: bool
    def __init__(self, *, flip_width: bool = ..., flip_height: bool = ...) -> None: ...

class Float2IntParameter(Message):
    quant: bool
    def __init__(self, *, quant: bool = ...) -> None: ...

class FlowWarpParameter(Message):
    FillParameter: Enum
    ZERO: int
    NOT_A_NUMBER: int
    fill_value: int
    def __init__(self, *, fill_value: int | str = ...) -> None: ...

class FocalLossParameter(Message):
    ActivateType: Enum
    NONE: int
    SIGMOID: int
    SOFTMAX: int
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    Type: Enum
    ORIGIN: int
    LINEAR: int
    ONEADDP: int
    engine: int
    axis: int
    alpha: float
    gamma: float
    type: int
    beta: float
    activate: int
    def __init__(self, *, engine: int | str = ..., axis: int = ..., alpha: float = ..., gamma: float = ...,
        type: int | str = ..., beta: float = ..., activate: int | str = ...) -> None: ...

class FoldingParameter(Message):
    channels_folded: int
    height_folded: int
    width_folded: int
    def __init__(self, *, channels_folded: int = ..., height_folded: int = ...,
        width_folded: int = ...) -> None: ...

class ForceRegular(Message):
    xdim: int
    ydim: int
    multi: float
    def __init__(self, *, xdim: int = ..., ydim: int = ..., multi: float = ...) -> None: ...

class FramesRollParameter(Message):
    frames_per_video: int
    def __init__(self, *, frames_per_video: int = ...) -> None: ...

class FrcnnOutputParameter(Message):
    conf_thr: float
    iou_thr: float
    nms_type: str
    max_det_num: int
    save_output_param: SaveOutputParameter
    def __init__(self, *, conf_thr: float = ..., iou_thr: float = ..., nms_type: str = ...,
        max_det_num: int = ..., save_output_param: SaveOutputParameter | Fields = ...) -> None: ...

class GainChannelParameter(Message):
    num_output_nz: int
    drift: float
    stdev: float
    gain_filler: FillerParameter
    norm_mean: bool
    thresh: float
    def __init__(self, *, num_output_nz: int = ..., drift: float = ..., stdev: float = ...,
        gain_filler: FillerParameter | Fields = ..., norm_mean: bool = ..., thresh: float = ...) -> None: ...

class GANLossParameter(Message):
    batch_size: int
    def __init__(self, *, batch_size: int = ...) -> None: ...

class GatherParameter(Message):
    inverse: bool
    def __init__(self, *, inverse: bool = ...) -> None: ...

class GDNParameter(Message):
    beta_min: float
    gamma_init: float
    reparam_offset: float
    inverse: bool
    def __init__(self, *, beta_min: float = ..., gamma_init: float = ..., reparam_offset: float = ...,
        inverse: bool = ...) -> None: ...

class GeneralContrastiveParameter(Message):
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    normalize_negative: float
    positive_outlier_thresh: float
    square: bool
    max_negative_only: bool
    max_positive_only: bool
    positive_first: bool
    positive_upper_bound: float
    exp_negative_weight: bool
    add_intra_mae: bool
    max_negative_margin: float
    def __init__(self, *, positive_margin: float = ..., negative_margin: float = ...,
        positive_weight: float = ..., negative_weight: float = ..., normalize_negative: float = ...,
        positive_outlier_thresh: float = ..., square: bool = ..., max_negative_only: bool = ...,
        max_positive_only: bool = ..., positive_first: bool = ..., positive_upper_bound: float = ...,
        exp_negative_weight: bool = ..., add_intra_mae: bool = ...,
        max_negative_margin: float = ...) -> None: ...

class GeneralizedHingeLossParameter(Message):
    epsilon: float
    margin: float
    silently_ignore_label_backprop: bool
    ignore_labeled_data: bool
    def __init__(self, *, epsilon: float = ..., margin: float = ...,
        silently_ignore_label_backprop: bool = ..., ignore_labeled_data: bool = ...) -> None: ...

class GeneralTripletParameter(Message):
    margin: float
    add_center_loss: bool
    hardest_only: bool
    positive_first: bool
    positive_upper_bound: float
    positive_weight: float
    negative_weight: float
    def __init__(self, *, margin: float = ..., add_center_loss: bool = ..., hardest_only: bool = ...,
        positive_first: bool = ..., positive_upper_bound: float = ..., positive_weight: float = ...,
        negative_weight: float = ...) -> None: ...

class GenSlicinfoParameter(Message):
    image_size: int
    slic_size: int
    coh_weight: float
    cielab: bool
    min_pixel_num: int
    def __init__(self, *, image_size: int = ..., slic_size: int = ..., coh_weight: float = ...,
        cielab: bool = ..., min_pixel_num: int = ...) -> None: ...

class GetRetionParameter(Message):
    topk: int
    def __init__(self, *, topk: int = ...) -> None: ...

class GMMLossParameter(Message):
    num_mixtures: int
    base: float
    def __init__(self, *, num_mixtures: int = ..., base: float = ...) -> None: ...

class GNParameter(Message):
    slope_filler: FillerParameter
    bias_filler: FillerParameter
    eps: float
    num_groups: int
    channels_per_group: int
    def __init__(self, *, slope_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., eps: float = ..., num_groups: int = ...,
        channels_per_group: int = ...) -> None: ...

class GradientScalerParameter(Message):
    lower_bound: float
    upper_bound: float
    alpha: float
    max_iter: float
    threshold_iter: int
    def __init__(self, *, lower_bound: float = ..., upper_bound: float = ..., alpha: float = ...,
        max_iter: float = ..., threshold_iter: int = ...) -> None: ...

class GraphLinkageLossParameter(Message):
    topK: int
    sigma: float
    def __init__(self, *, topK: int = ..., sigma: float = ...) -> None: ...

class GRIDPoolingParameter(Message):
    pooled_h: int
    pooled_w: int
    def __init__(self, *, pooled_h: int = ..., pooled_w: int = ...) -> None: ...

class GridSplatLayerParameter(Message):
    WeightMode: Enum
    HARD_MODE: int
    SOFT_MODE: int
    edge_min: float
    edge_max: float
    weight_mode: int
    def __init__(self, *, edge_min: float = ..., edge_max: float = ...,
        weight_mode: int | str = ...) -> None: ...

class GRNParameter(Message):
    bias: float
    dummy_backward: bool
    def __init__(self, *, bias: float = ..., dummy_backward: bool = ...) -> None: ...

class GroupNormParameter(Message):
    eps: float
    group_num: int
    def __init__(self, *, eps: float = ..., group_num: int = ...) -> None: ...

class GuidedDropoutParameter(Message):
    type: str
    guidance_threshold: float
    sigmoid_scaler: float
    def __init__(self, *, type: str = ..., guidance_threshold: float = ...,
        sigmoid_scaler: float = ...) -> None: ...

class HadamardProductParameter(Message):
    weight_filler: FillerParameter
    def __init__(self, *, weight_filler: FillerParameter | Fields = ...) -> None: ...

class HardMiningParameter(Message):
    num_roi_per_image: int
    num_image: int
    def __init__(self, *, num_roi_per_image: int = ..., num_image: int = ...) -> None: ...

class HardTripletParameter(Message):
    featureMapId: str
    sampledClasses: int
    sampledPictures: int
    margin: float
    tooHardTriplets: bool
    hardestPositive: bool
    hardestNegative: bool
    hard_triplet_pool_param: HardTripletPoolParameter
    def __init__(self, *, featureMapId: str = ..., sampledClasses: int = ..., sampledPictures: int = ...,
        margin: float = ..., tooHardTriplets: bool = ..., hardestPositive: bool = ...,
        hardestNegative: bool = ...,
        hard_triplet_pool_param: HardTripletPoolParameter | Fields = ...) -> None: ...

class HardTripletPoolParameter(Message):
    poolSize: int
    showCount: int
    showCycle: int
    def __init__(self, *, poolSize: int = ..., showCount: int = ..., showCycle: int = ...) -> None: ...

class HashingLossParameter(Message):
    bi_margin: float
    tradeoff: float
    def __init__(self, *, bi_margin: float = ..., tradeoff: float = ...) -> None: ...

class HeatmapDataParameter(Message):
    HeatmapType: Enum
    MULTI_POINT: int
    source: str
    batch_size: int
    backend: str
    new_height: int
    new_width: int
    scale: float
    mean_file: str
    random_crop: bool
    crop_size: int
    rotation: bool
    max_angle: float
    mirror: bool
    prefetch: int
    type: int
    label_size: int
    mean_value: Scalars[float]
    coordinate_num: int
    rand_skip: int
    shuffle: bool
    is_color: bool
    force_color: bool
    force_gray: bool
    root_folder: str
    mirror_pairs: Scalars[str]
    num_channels: int
    labelinds: str
    meanfile: str
    crop_meanfile: str
    sigma: float
    angle_max: float
    batchsize: int
    cropsize: int
    dont_flip_first: bool
    flip_joint_labels: bool
    label_height: int
    label_width: int
    multfact: float
    outsize: int
    root_img_dir: str
    sample_per_cluster: bool
    segmentation: bool
    def __init__(self, *, source: str = ..., batch_size: int = ..., backend: str = ..., new_height: int = ...,
        new_width: int = ..., scale: float = ..., mean_file: str = ..., random_crop: bool = ...,
        crop_size: int = ..., rotation: bool = ..., max_angle: float = ..., mirror: bool = ...,
        prefetch: int = ..., type: int | str = ..., label_size: int = ..., mean_value: Iterable[float] = ...,
        coordinate_num: int = ..., rand_skip: int = ..., shuffle: bool = ..., is_color: bool = ...,
        force_color: bool = ..., force_gray: bool = ..., root_folder: str = ...,
        mirror_pairs: Iterable[str] = ..., num_channels: int = ..., labelinds: str = ..., meanfile: str = ...,
        crop_meanfile: str = ..., sigma: float = ..., angle_max: float = ..., batchsize: int = ...,
        cropsize: int = ..., dont_flip_first: bool = ..., flip_joint_labels: bool = ...,
        label_height: int = ..., label_width: int = ..., multfact: float = ..., outsize: int = ...,
        root_img_dir: str = ..., sample_per_cluster: bool = ..., segmentation: bool = ...) -> None: ...

class HexAccuracyParameter(Message):
    top_k: int
    axis: int
    ignore_label: int
    g_file: str
    label_name_file: str
    node_nums: int
    def __init__(self, *, top_k: int = ..., axis: int = ..., ignore_label: int = ..., g_file: str = ...,
        label_name_file: str = ..., node_nums: int = ...) -> None: ...

class HexLossParameter(Message):
    g_file: str
    label_name_file: str
    node_nums: int
    def __init__(self, *, g_file: str = ..., label_name_file: str = ..., node_nums: int = ...) -> None: ...

class HexScoreParameter(Message):
    g_file: str
    label_name_file: str
    node_nums: int
    def __init__(self, *, g_file: str = ..., label_name_file: str = ..., node_nums: int = ...) -> None: ...

class HistogramParameter(Message):
    num_labels: int
    ignore_label: Scalars[int]
    def __init__(self, *, num_labels: int = ..., ignore_label: Iterable[int] = ...) -> None: ...

class HoGParameter(Message):
    HoGMethod: Enum
    STEP: int
    POW: int
    hog: int
    block_size: int
    axis: int
    transpose: bool
    def __init__(self, *, hog: int | str = ..., block_size: int = ..., axis: int = ...,
        transpose: bool = ...) -> None: ...

class HoleConvolutionParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    group: int
    stride: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    axis: int
    force_nd_im2col: bool
    input_normalization: bool
    hole: int
    hole_h: int
    hole_w: int
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: int = ...,
        kernel_size: int = ..., group: int = ..., stride: int = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad_h: int = ..., pad_w: int = ..., kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ...,
        stride_w: int = ..., engine: int | str = ..., axis: int = ..., force_nd_im2col: bool = ...,
        input_normalization: bool = ..., hole: int = ..., hole_h: int = ..., hole_w: int = ...) -> None: ...

class HotspotParameter(Message):
    gaussian_std: float
    output_height: int
    output_width: int
    data_height: int
    data_width: int
    mean_removed: bool
    def __init__(self, *, gaussian_std: float = ..., output_height: int = ..., output_width: int = ...,
        data_height: int = ..., data_width: int = ..., mean_removed: bool = ...) -> None: ...

class HPDFDTransformationParameter(Message):
    scale: float
    mirror: bool
    crop_size: bool
    mean_file: str
    mean_value: Scalars[float]
    downsample: int
    scale_cvg: float
    max_cvg_len: int
    min_cvg_len: int
    opaque_coverage: bool
    coverage: str
    flip_prob: float
    max_rotate_degree: float
    visualize: bool
    crop_size_x: int
    crop_size_y: int
    scale_prob: float
    scale_min: float
    scale_max: float
    force_color: bool
    force_gray: bool
    target_dist: float
    center_perterb_max: float
    sigma: float
    clahe_tile_size_min: int
    clahe_clip_limit: int
    do_clahe: bool
    num_pts: int
    num_total_augs: int
    aug_way: str
    gray: bool
    debug: bool
    gaussian: bool
    sigma_interval: float
    sigma_frequency: int
    gray_prob: float
    clahe_tile_size_max: int
    clahe_prob: float
    def __init__(self, *, scale: float = ..., mirror: bool = ..., crop_size: bool = ..., mean_file: str = ...,
        mean_value: Iterable[float] = ..., downsample: int = ..., scale_cvg: float = ...,
        max_cvg_len: int = ..., min_cvg_len: int = ..., opaque_coverage: bool = ..., coverage: str = ...,
        flip_prob: float = ..., max_rotate_degree: float = ..., visualize: bool = ..., crop_size_x: int = ...,
        crop_size_y: int = ..., scale_prob: float = ..., scale_min: float = ..., scale_max: float = ...,
        force_color: bool = ..., force_gray: bool = ..., target_dist: float = ...,
        center_perterb_max: float = ..., sigma: float = ..., clahe_tile_size_min: int = ...,
        clahe_clip_limit: int = ..., do_clahe: bool = ..., num_pts: int = ..., num_total_augs: int = ...,
        aug_way: str = ..., gray: bool = ..., debug: bool = ..., gaussian: bool = ...,
        sigma_interval: float = ..., sigma_frequency: int = ..., gray_prob: float = ...,
        clahe_tile_size_max: int = ..., clahe_prob: float = ...) -> None: ...

class HSROIPoolingParameter(Message):
    spatial_scale: float
    output_dim: int
    output_height: int
    def __init__(self, *, spatial_scale: float = ..., output_dim: int = ...,
        output_height: int = ...) -> None: ...

class HungarianLossParameter(Message):
    match_ratio: float
    height: float
    width: float
    permute_matches: bool
    def __init__(self, *, match_ratio: float = ..., height: float = ..., width: float = ...,
        permute_matches: bool = ...) -> None: ...

class HyperColumnsParameter(Message):
    is_train: bool
    sample_num: int
    skip_ratio: float
    def __init__(self, *, is_train: bool = ..., sample_num: int = ..., skip_ratio: float = ...) -> None: ...

class IgnoreOverlayParameter(Message):
    ignore_label: int
    def __init__(self, *, ignore_label: int = ...) -> None: ...

class Im2distParameter(Message):
    Norm: Enum
    L1: int
    L2: int
    norm: int
    remove_center: bool
    remove_bounds: bool
    def __init__(self, *, norm: int | str = ..., remove_center: bool = ...,
        remove_bounds: bool = ...) -> None: ...

class Im2parityParameter(Message):
    ignore_label: int
    def __init__(self, *, ignore_label: int = ...) -> None: ...

class Im2seqParameter(Message):
    Direction: Enum
    FORWARD: int
    REVERSED: int
    TOPDOWN: int
    BOTTOMUP: int
    direction: int
    size: int
    stride: int
    line2time_loss: bool
    def __init__(self, *, direction: int | str = ..., size: int = ..., stride: int = ...,
        line2time_loss: bool = ...) -> None: ...

class ImageDataSteganalysisJpegDctParameter(Message):
    source: str
    batch_size: int
    shuffle: bool
    cover_dir: str
    stego_dir: str
    rand_mirror_rotate: bool
    def __init__(self, *, source: str = ..., batch_size: int = ..., shuffle: bool = ..., cover_dir: str = ...,
        stego_dir: str = ..., rand_mirror_rotate: bool = ...) -> None: ...

class ImageDataSteganalysisSpatialParameter(Message):
    source: str
    batch_size: int
    shuffle: bool
    cover_dir: str
    stego_dir: str
    image_fmt: str
    rand_mirror: bool
    rand_rotate: bool
    mirror_rotate: int
    def __init__(self, *, source: str = ..., batch_size: int = ..., shuffle: bool = ..., cover_dir: str = ...,
        stego_dir: str = ..., image_fmt: str = ..., rand_mirror: bool = ..., rand_rotate: bool = ...,
        mirror_rotate: int = ...) -> None: ...

class ImagedbDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    new_shorter: int
    new_shorter_max: int
    new_rot_max: float
    new_shorter_level: int
    new_rot_level: int
    source_type: str
    color_type: str
    max_open_files: int
    mean_value: float
    mean_values: Scalars[float]
    color_jitter_std: float
    color_jitter_profile: str
    global_shuffle_buffer: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., new_shorter: int = ..., new_shorter_max: int = ...,
        new_rot_max: float = ..., new_shorter_level: int = ..., new_rot_level: int = ...,
        source_type: str = ..., color_type: str = ..., max_open_files: int = ..., mean_value: float = ...,
        mean_values: Iterable[float] = ..., color_jitter_std: float = ..., color_jitter_profile: str = ...,
        global_shuffle_buffer: int = ...) -> None: ...

class ImageFloatDataParameter(Message):
    label_dim: int
    def __init__(self, *, label_dim: int = ...) -> None: ...

class ImageGtDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    mirror: bool
    downsample_rate: Scalars[int]
    coord_num: int
    field_h: Scalars[int]
    field_w: Scalars[int]
    fg_threshold: float
    resize_width: int
    resize_height: int
    crop_width: int
    crop_height: int
    do_multiple_scale: bool
    min_scale: int
    max_scale: int
    min_whaspect: float
    max_whaspect: float
    min_gt_width: float
    min_gt_height: float
    shuffle: bool
    output_gt_boxes: bool
    fg_img_multiple: int
    cache_images: bool
    root_folder: str
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        mirror: bool = ..., downsample_rate: Iterable[int] = ..., coord_num: int = ...,
        field_h: Iterable[int] = ..., field_w: Iterable[int] = ..., fg_threshold: float = ...,
        resize_width: int = ..., resize_height: int = ..., crop_width: int = ..., crop_height: int = ...,
        do_multiple_scale: bool = ..., min_scale: int = ..., max_scale: int = ..., min_whaspect: float = ...,
        max_whaspect: float = ..., min_gt_width: float = ..., min_gt_height: float = ..., shuffle: bool = ...,
        output_gt_boxes: bool = ..., fg_img_multiple: int = ..., cache_images: bool = ...,
        root_folder: str = ...) -> None: ...

class ImageLabelDataParameter(Message):
    DB: Enum
    LEVELDB: int
    LMDB: int
    PaddingWord: Enum
    ZERO: int
    REFLECT: int
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    backend: int
    rand_patch_times: int
    out_label_size: int
    out_label_size_h: int
    out_label_size_w: int
    out_label_size_d: int
    crop_size_h: int
    crop_size_w: int
    crop_size_d: int
    num_memory_datum: int
    padding: bool
    random_rotate: bool
    max_rotation_angle: int
    min_rotation_angle: int
    label_select_param: Label_Select_Param
    min_kernel_size: int
    max_kernel_size: int
    min_sigma_x: float
    max_sigma_x: float
    min_sigma_y: float
    max_sigma_y: float
    blur_probability: float
    filename_to_idx: bool
    num_channels: int
    label_space: int
    box_dir: str
    box_extension: str
    random_box_perturb: bool
    box_perturb_max_scale_percent: float
    box_perturb_max_translate_percent: float
    filename_in_idx: bool
    init_num_dets: int
    max_num_dets_allowed: int
    ignore_first_channel_for_classification: bool
    make_transform_independent_classification_gt: bool
    image_list_path: str
    label_list_path: str
    shuffle: bool
    rand_scale: bool
    min_scale: float
    max_scale: float
    data_dir: str
    label_slice: Slice
    image_dir: str
    label_dir: str
    hsv_noise: bool
    h_noise: int
    s_noise: int
    v_noise: int
    pad_centre: bool
    random_gaussian_blur: bool
    background_skip_rate: float
    padding__tvg: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., backend: int | str = ...,
        rand_patch_times: int = ..., out_label_size: int = ..., out_label_size_h: int = ...,
        out_label_size_w: int = ..., out_label_size_d: int = ..., crop_size_h: int = ...,
        crop_size_w: int = ..., crop_size_d: int = ..., num_memory_datum: int = ..., padding: bool = ...,
        random_rotate: bool = ..., max_rotation_angle: int = ..., min_rotation_angle: int = ...,
        label_select_param: Label_Select_Param | Fields = ..., min_kernel_size: int = ...,
        max_kernel_size: int = ..., min_sigma_x: float = ..., max_sigma_x: float = ...,
        min_sigma_y: float = ..., max_sigma_y: float = ..., blur_probability: float = ...,
        filename_to_idx: bool = ..., num_channels: int = ..., label_space: int = ..., box_dir: str = ...,
        box_extension: str = ..., random_box_perturb: bool = ..., box_perturb_max_scale_percent: float = ...,
        box_perturb_max_translate_percent: float = ..., filename_in_idx: bool = ..., init_num_dets: int = ...,
        max_num_dets_allowed: int = ..., ignore_first_channel_for_classification: bool = ...,
        make_transform_independent_classification_gt: bool = ..., image_list_path: str = ...,
        label_list_path: str = ..., shuffle: bool = ..., rand_scale: bool = ..., min_scale: float = ...,
        max_scale: float = ..., data_dir: str = ..., label_slice: Slice | Fields = ..., image_dir: str = ...,
        label_dir: str = ..., hsv_noise: bool = ..., h_noise: int = ..., s_noise: int = ...,
        v_noise: int = ..., pad_centre: bool = ..., random_gaussian_blur: bool = ...,
        background_skip_rate: float = ..., padding__tvg: int | str = ...) -> None: ...

class ImageMultiLabelDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ...) -> None: ...

class ImageOutputParameter(Message):
    NormalizationMethod: Enum
    SCALE: int
    AutoSCALE: int
    output_prefix: str
    base_idx: int
    filename_padding: int
    print_iter: int
    normalization: int
    scale: float
    offset: float
    force_slice_channels: bool
    auto_ratio: float
    def __init__(self, *, output_prefix: str = ..., base_idx: int = ..., filename_padding: int = ...,
        print_iter: int = ..., normalization: int | str = ..., scale: float = ..., offset: float = ...,
        force_slice_channels: bool = ..., auto_ratio: float = ...) -> None: ...

class ImageTransformationParameter(Message):
    params: Messages[ImageTransformationStep]
    rng_seed: int
    def __init__(self, *, params: Iterable[ImageTransformationStep | Fields] = ...,
        rng_seed: int = ...) -> None: ...

class ImageTransformationStep(Message):
    linear_params: LinearTransformationParameter
    color_jitter_params: ColorJitterTransformationParameter
    def __init__(self, *, linear_params: LinearTransformationParameter | Fields = ...,
        color_jitter_params: ColorJitterTransformationParameter | Fields = ...) -> None: ...

class ImgResizeParameter(Message):
    width: int
    height: int
    def __init__(self, *, width: int = ..., height: int = ...) -> None: ...

class ImgSizeParameter(Message):
    x_scaling: float
    y_scaling: float
    pretrained_file: str
    pretrained_layer_name: str
    pretrained_layer_bin: str
    def __init__(self, *, x_scaling: float = ..., y_scaling: float = ..., pretrained_file: str = ...,
        pretrained_layer_name: str = ..., pretrained_layer_bin: str = ...) -> None: ...

class ImpMapParameter(Message):
    MethodWord: Enum
    GLOBAL: int
    method: int
    lquantize: bool
    groups: int
    cmp_ratio: float
    weight: float
    channel_out: int
    max_channel: int
    alpha: float
    ratio: Scalars[float]
    def __init__(self, *, method: int | str = ..., lquantize: bool = ..., groups: int = ...,
        cmp_ratio: float = ..., weight: float = ..., channel_out: int = ..., max_channel: int = ...,
        alpha: float = ..., ratio: Iterable[float] = ...) -> None: ...

class ImResizeParameter(Message):
    target_spatial_width: int
    target_spatial_height: int
    factor: float
    start_scale: float
    scale_gap: float
    def __init__(self, *, target_spatial_width: int = ..., target_spatial_height: int = ...,
        factor: float = ..., start_scale: float = ..., scale_gap: float = ...) -> None: ...

class ImwriteParameter(Message):
    output_path: str
    postfix: str
    extension: str
    iterations: int
    intensity_shift: float
    intensity_mult: float
    test_output_path: str
    def __init__(self, *, output_path: str = ..., postfix: str = ..., extension: str = ...,
        iterations: int = ..., intensity_shift: float = ..., intensity_mult: float = ...,
        test_output_path: str = ...) -> None: ...

class IncrementalDataParameter(Message):
    DB: Enum
    LMDB: int
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    backend: int
    force_encoded_color: bool
    new_width: int
    is_color: bool
    db: str
    table: str
    shuffle: bool
    new_height: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., backend: int | str = ...,
        force_encoded_color: bool = ..., new_width: int = ..., is_color: bool = ..., db: str = ...,
        table: str = ..., shuffle: bool = ..., new_height: int = ...) -> None: ...

class IndicatorDataParameter(Message):
    source: str
    shuffle: bool
    batch_size: int
    def __init__(self, *, source: str = ..., shuffle: bool = ..., batch_size: int = ...) -> None: ...

class InfimumLossParamter(Message):
    infimum: float
    def __init__(self, *, infimum: float = ...) -> None: ...

class InnerDistanceParameter(Message):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    transpose: bool
    distance_type: str
    normalize: bool
    update_center_only: bool
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        axis: int = ..., transpose: bool = ..., distance_type: str = ..., normalize: bool = ...,
        update_center_only: bool = ...) -> None: ...

class InnerProductBlobParameter(Message):
    transpose: bool
    def __init__(self, *, transpose: bool = ...) -> None: ...

class INQConvolutionParameter(Message):
    portion: Scalars[float]
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    num_quantum_values: int
    def __init__(self, *, portion: Iterable[float] = ..., weight_mask_filler: FillerParameter | Fields = ...,
        bias_mask_filler: FillerParameter | Fields = ..., num_quantum_values: int = ...) -> None: ...

class INQInnerProductParameter(Message):
    portion: Scalars[float]
    weight_mask_filler: FillerParameter
    bias_mask_filler: FillerParameter
    num_quantum_values: int
    def __init__(self, *, portion: Iterable[float] = ..., weight_mask_filler: FillerParameter | Fields = ...,
        bias_mask_filler: FillerParameter | Fields = ..., num_quantum_values: int = ...) -> None: ...

class InsanityParameter(Message):
    lb: float
    ub: float
    def __init__(self, *, lb: float = ..., ub: float = ...) -> None: ...

class InstanceIDParameter(Message):
    detection_box_input_dir: str
    detection_pixel_input_dir: str
    is_no_rescore_baseline: bool
    is_background_det: bool
    background_det_score: float
    def __init__(self, *, detection_box_input_dir: str = ..., detection_pixel_input_dir: str = ...,
        is_no_rescore_baseline: bool = ..., is_background_det: bool = ...,
        background_det_score: float = ...) -> None: ...

class InterpParameter(Message):
    height: int
    width: int
    zoom_factor: int
    shrink_factor: int
    pad_beg: int
    pad_end: int
    is_seglabel: bool
    interp_type: str
    use_blob_size: bool
    def __init__(self, *, height: int = ..., width: int = ..., zoom_factor: int = ...,
        shrink_factor: int = ..., pad_beg: int = ..., pad_end: int = ..., is_seglabel: bool = ...,
        interp_type: str = ..., use_blob_size: bool = ...) -> None: ...

class IntersectionOverUnionParameter(Message):
    num_class: int
    def __init__(self, *, num_class: int = ...) -> None: ...

class IntranormParameter(Message):
    cluster_num: int
    def __init__(self, *, cluster_num: int = ...) -> None: ...

class IOUAccuracyParameter(Message):
    ignore_label: int
    normalize: bool
    test_iterations: int
    num_classes: int
    def __init__(self, *, ignore_label: int = ..., normalize: bool = ..., test_iterations: int = ...,
        num_classes: int = ...) -> None: ...

class JMMDParameter(Message):
    kernel_num: int
    sigma: float
    label_kernel_mul: float
    label_kernel_num: int
    kernel_mul: float
    fix_gamma: bool
    auto_sigma: bool
    def __init__(self, *, kernel_num: int = ..., sigma: float = ..., label_kernel_mul: float = ...,
        label_kernel_num: int = ..., kernel_mul: float = ..., fix_gamma: bool = ...,
        auto_sigma: bool = ...) -> None: ...

class KernelLossParameter(Message):
    sigma_sq: float
    def __init__(self, *, sigma_sq: float = ...) -> None: ...

class KeypointAccParameter(Message):
    metric: float
    axis: int
    def __init__(self, *, metric: float = ..., axis: int = ...) -> None: ...

class L1LossKittiParameter(Message):
    l2_per_location: bool
    l2_prescale_by_channels: bool
    normalize_by_num_entries: bool
    epsilon: float
    plateau: float
    def __init__(self, *, l2_per_location: bool = ..., l2_prescale_by_channels: bool = ...,
        normalize_by_num_entries: bool = ..., epsilon: float = ..., plateau: float = ...) -> None: ...

class L1LossParameter(Message):
    l2_per_location: bool
    l2_prescale_by_channels: bool
    normalize_by_num_entries: bool
    epsilon: float
    power: float
    plateau: float
    def __init__(self, *, l2_per_location: bool = ..., l2_prescale_by_channels: bool = ...,
        normalize_by_num_entries: bool = ..., epsilon: float = ..., power: float = ...,
        plateau: float = ...) -> None: ...

class Label_Select_Param(Message):
    balance: bool
    num_labels: int
    num_top_label_balance: int
    reorder_label: bool
    class_prob_mapping_file: str
    def __init__(self, *, balance: bool = ..., num_labels: int = ..., num_top_label_balance: int = ...,
        reorder_label: bool = ..., class_prob_mapping_file: str = ...) -> None: ...

class LabeledMatchingParameter(Message):
    num_classes: int
    momentum: float
    def __init__(self, *, num_classes: int = ..., momentum: float = ...) -> None: ...

class LabelExpansionParameter(Message):
    num_classes: int
    def __init__(self, *, num_classes: int = ...) -> None: ...

class LabelMap(Message):
    item: Messages[LabelMapItem]
    def __init__(self, *, item: Iterable[LabelMapItem | Fields] = ...) -> None: ...

class LabelMapItem(Message):
    name: str
    label: int
    display_name: str
    def __init__(self, *, name: str = ..., label: int = ..., display_name: str = ...) -> None: ...

class LabelsequenceAccuracyParameter(Message):
    blank_label: int
    def __init__(self, *, blank_label: int = ...) -> None: ...

class LabelSmoothParameter(Message):
    cls_num: int
    eps: float
    def __init__(self, *, cls_num: int = ..., eps: float = ...) -> None: ...

class LabelSpecificAddParameter(Message):
    bias: float
    transform_test: bool
    bias_base: float
    bias_gamma: float
    bias_power: float
    bias_min: float
    bias_max: float
    iteration: int
    def __init__(self, *, bias: float = ..., transform_test: bool = ..., bias_base: float = ...,
        bias_gamma: float = ..., bias_power: float = ..., bias_min: float = ..., bias_max: float = ...,
        iteration: int = ...) -> None: ...

class LabelSpecificAffineParameter(Message):
    scale_base: float
    scale_gamma: float
    scale_power: float
    scale_max: float
    transform_test: bool
    iteration: int
    bias_base: float
    bias_gamma: float
    bias_power: float
    bias_max: float
    power_base: float
    power_gamma: float
    power_power: float
    power_min: float
    auto_tune: bool
    reset: bool
    def __init__(self, *, scale_base: float = ..., scale_gamma: float = ..., scale_power: float = ...,
        scale_max: float = ..., transform_test: bool = ..., iteration: int = ..., bias_base: float = ...,
        bias_gamma: float = ..., bias_power: float = ..., bias_max: float = ..., power_base: float = ...,
        power_gamma: float = ..., power_power: float = ..., power_min: float = ..., auto_tune: bool = ...,
        reset: bool = ...) -> None: ...

class LabelSpecificHardMarginParameter(Message):
    positive_weight: float
    def __init__(self, *, positive_weight: float = ...) -> None: ...

class LabelSpecificMarginParameter(Message):
    MarginType: Enum
    HARD: int
    SOFT: int
    margin_base: float
    margin_max: float
    power: float
    gamma: float
    iteration: int
    reset_margin: bool
    margin_on_test: bool
    auto_tune: bool
    type: int
    def __init__(self, *, margin_base: float = ..., margin_max: float = ..., power: float = ...,
        gamma: float = ..., iteration: int = ..., reset_margin: bool = ..., margin_on_test: bool = ...,
        auto_tune: bool = ..., type: int | str = ...) -> None: ...

class LabelSpecificRescaleParameter(Message):
    positive_weight: float
    negative_weight: float
    positive_lower_bound: float
    negative_upper_bound: float
    rescale_test: bool
    for_ip: bool
    positive_weight_base: float
    gamma: float
    power: float
    positive_weight_min: float
    positive_weight_max: float
    iteration: int
    bias_fix: bool
    power_on_positive: bool
    def __init__(self, *, positive_weight: float = ..., negative_weight: float = ...,
        positive_lower_bound: float = ..., negative_upper_bound: float = ..., rescale_test: bool = ...,
        for_ip: bool = ..., positive_weight_base: float = ..., gamma: float = ..., power: float = ...,
        positive_weight_min: float = ..., positive_weight_max: float = ..., iteration: int = ...,
        bias_fix: bool = ..., power_on_positive: bool = ...) -> None: ...

class LabelSplitParameter(Message):
    period: float
    split_num: int
    label_max: float
    def __init__(self, *, period: float = ..., split_num: int = ..., label_max: float = ...) -> None: ...

class LaneInfo(Message):
    x: float
    y: float
    id: int
    def __init__(self, *, x: float = ..., y: float = ..., id: int = ...) -> None: ...

class LargeMarginInnerProductParameter(Message):
    LargeMarginType: Enum
    SINGLE: int
    DOUBLE: int
    TRIPLE: int
    QUADRUPLE: int
    num_output: int
    type: int
    weight_filler: FillerParameter
    axis: int
    base: float
    gamma: float
    power: float
    iteration: int
    lambda_min: float
    def __init__(self, *, num_output: int = ..., type: int | str = ...,
        weight_filler: FillerParameter | Fields = ..., axis: int = ..., base: float = ..., gamma: float = ...,
        power: float = ..., iteration: int = ..., lambda_min: float = ...) -> None: ...

class LatentGaussianParameter(Message):
    hidden_num: int
    ave_e: float
    std_e: float
    def __init__(self, *, hidden_num: int = ..., ave_e: float = ..., std_e: float = ...) -> None: ...

class LayerPSTablePair(Message):
    layer_name: str
    table_id: Scalars[int]
    def __init__(self, *, layer_name: str = ..., table_id: Iterable[int] = ...) -> None: ...

class LayerSnapshotParameter(Message):
    output_prefix: str
    interval: int
    all: bool
    bottom_data: bool
    top_data: bool
    weights_data: bool
    bottom_diff: bool
    top_diff: bool
    weights_diff: bool
    def __init__(self, *, output_prefix: str = ..., interval: int = ..., all: bool = ...,
        bottom_data: bool = ..., top_data: bool = ..., weights_data: bool = ..., bottom_diff: bool = ...,
        top_diff: bool = ..., weights_diff: bool = ...) -> None: ...

class LiftedStructSimilaritySoftmaxLossParameter(Message):
    margin: float
    def __init__(self, *, margin: float = ...) -> None: ...

class LinearQuantParameter(Message):
    LQuantMethod: Enum
    LTWO: int
    LONE: int
    LOSS_ATTENTION: int
    method: int
    levels: int
    def __init__(self, *, method: int | str = ..., levels: int = ...) -> None: ...

class LinearTransformationParameter(Message):
    shift: float
    scale: float
    def __init__(self, *, shift: float = ..., scale: float = ...) -> None: ...

class LinearTransformParameter(Message):
    num_output: int
    weight_filler: FillerParameter
    axis: int
    backprop: bool
    verbose: bool
    scale: float
    bias: float
    def __init__(self, *, num_output: int = ..., weight_filler: FillerParameter | Fields = ...,
        axis: int = ..., backprop: bool = ..., verbose: bool = ..., scale: float = ...,
        bias: float = ...) -> None: ...

class LmeLossParameter(Message):
    margin: int
    thresh: int
    def __init__(self, *, margin: int = ..., thresh: int = ...) -> None: ...

class LocalParameter(Message):
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    stride: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: int = ...,
        kernel_size: int = ..., stride: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class LocalWeightedConvolutionParameter(Message):
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    stride: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: int = ...,
        kernel_size: int = ..., stride: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class LocLossParameter(Message):
    threshold: float
    def __init__(self, *, threshold: float = ...) -> None: ...

class LogLikelihoodLossParameter(Message):
    use_labeled_data: bool
    maximize_likelihood: bool
    filter_selected_labels: bool
    selected_label: int
    def __init__(self, *, use_labeled_data: bool = ..., maximize_likelihood: bool = ...,
        filter_selected_labels: bool = ..., selected_label: int = ...) -> None: ...

class LotParameter(Message):
    LotMethod: Enum
    L1: int
    L2: int
    PSNR: int
    slope: float
    method: int
    def __init__(self, *, slope: float = ..., method: int | str = ...) -> None: ...

class LowlevelDistanceParameter(Message):
    grid_size: int
    train_region_per_image: int
    spixel_size: int
    feature_option: int
    is_maxpool: bool
    def __init__(self, *, grid_size: int = ..., train_region_per_image: int = ..., spixel_size: int = ...,
        feature_option: int = ..., is_maxpool: bool = ...) -> None: ...

class LpqLossParameter(Message):
    pq_episode_starts_at_iter: Scalars[int]
    p: Scalars[float]
    q: Scalars[float]
    p_epsilon: float
    q_epsilon: float
    l2_prescale_by_channels: bool
    normalize_by_num_entries: bool
    def __init__(self, *, pq_episode_starts_at_iter: Iterable[int] = ..., p: Iterable[float] = ...,
        q: Iterable[float] = ..., p_epsilon: float = ..., q_epsilon: float = ...,
        l2_prescale_by_channels: bool = ..., normalize_by_num_entries: bool = ...) -> None: ...

class LSTMConvolutionParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    num_output: int
    bias_term: bool
    pad: Scalars[int]
    kernel_size: Scalars[int]
    group: int
    stride: Scalars[int]
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    axis: int
    force_nd_im2col: bool
    dilation: Scalars[int]
    type: str
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: Iterable[int] = ...,
        kernel_size: Iterable[int] = ..., group: int = ..., stride: Iterable[int] = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad_h: int = ..., pad_w: int = ..., kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ...,
        stride_w: int = ..., engine: int | str = ..., axis: int = ..., force_nd_im2col: bool = ...,
        dilation: Iterable[int] = ..., type: str = ...) -> None: ...

class LSTMDebugParameter(Message):
    expose: Scalars[str]
    disable_hadamard: bool
    axis_hadamard: int
    num_axes_hadamard: int
    ignore_x: bool
    def __init__(self, *, expose: Iterable[str] = ..., disable_hadamard: bool = ..., axis_hadamard: int = ...,
        num_axes_hadamard: int = ..., ignore_x: bool = ...) -> None: ...

class LSTMParameter(Message):
    num_output: int
    clipping_threshold: float
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    batch_size: int
    paramq: int
    scale_in: float
    scale_out: float
    a_min: int
    a_max: int
    num_cells: int
    input_weight_filler: FillerParameter
    input_gate_weight_filler: FillerParameter
    forget_gate_weight_filler: FillerParameter
    output_gate_weight_filler: FillerParameter
    bias_term: bool
    input_bias_filler: FillerParameter
    input_gate_bias_filler: FillerParameter
    forget_gate_bias_filler: FillerParameter
    output_gate_bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., clipping_threshold: float = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        batch_size: int = ..., paramq: int = ..., scale_in: float = ..., scale_out: float = ...,
        a_min: int = ..., a_max: int = ..., num_cells: int = ...,
        input_weight_filler: FillerParameter | Fields = ...,
        input_gate_weight_filler: FillerParameter | Fields = ...,
        forget_gate_weight_filler: FillerParameter | Fields = ...,
        output_gate_weight_filler: FillerParameter | Fields = ..., bias_term: bool = ...,
        input_bias_filler: FillerParameter | Fields = ...,
        input_gate_bias_filler: FillerParameter | Fields = ...,
        forget_gate_bias_filler: FillerParameter | Fields = ...,
        output_gate_bias_filler: FillerParameter | Fields = ...) -> None: ...

class LstmUnitParameter(Message):
    num_cells: int
    input_weight_filler: FillerParameter
    input_gate_weight_filler: FillerParameter
    forget_gate_weight_filler: FillerParameter
    output_gate_weight_filler: FillerParameter
    tie_output_forget: bool
    tanh_hidden: bool
    def __init__(self, *, num_cells: int = ..., input_weight_filler: FillerParameter | Fields = ...,
        input_gate_weight_filler: FillerParameter | Fields = ...,
        forget_gate_weight_filler: FillerParameter | Fields = ...,
        output_gate_weight_filler: FillerParameter | Fields = ..., tie_output_forget: bool = ...,
        tanh_hidden: bool = ...) -> None: ...

class ManualCropParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    engine: int
    x: int
    y: int
    h: int
    w: int
    def __init__(self, *, engine: int | str = ..., x: int = ..., y: int = ..., h: int = ...,
        w: int = ...) -> None: ...

class MappingParameter(Message):
    lr: float
    shift: float
    def __init__(self, *, lr: float = ..., shift: float = ...) -> None: ...

class MarginAddParameter(Message):
    PolicyWord: Enum
    STEPUP: int
    policy: int
    value: float
    gamma: float
    step: int
    max: float
    def __init__(self, *, policy: int | str = ..., value: float = ..., gamma: float = ..., step: int = ...,
        max: float = ...) -> None: ...

class MarginInnerProductParameter(Message):
    MarginType: Enum
    SINGLE: int
    DOUBLE: int
    TRIPLE: int
    QUADRUPLE: int
    num_output: int
    type: int
    weight_filler: FillerParameter
    axis: int
    base: float
    gamma: float
    power: float
    iteration: int
    lambda_min: float
    temp_seqid_num: int
    def __init__(self, *, num_output: int = ..., type: int | str = ...,
        weight_filler: FillerParameter | Fields = ..., axis: int = ..., base: float = ..., gamma: float = ...,
        power: float = ..., iteration: int = ..., lambda_min: float = ...,
        temp_seqid_num: int = ...) -> None: ...

class MarginParameter(Message):
    num_class: int
    m_upper_bound: float
    m_lower_bound: float
    axis: int
    def __init__(self, *, num_class: int = ..., m_upper_bound: float = ..., m_lower_bound: float = ...,
        axis: int = ...) -> None: ...

class MarginSoftmaxLossParameter(Message):
    num_output: int
    weight_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., weight_filler: FillerParameter | Fields = ...) -> None: ...

class MaskResizeParameter(Message):
    output_height: int
    output_width: int
    factor_height: float
    factor_width: float
    def __init__(self, *, output_height: int = ..., output_width: int = ..., factor_height: float = ...,
        factor_width: float = ...) -> None: ...

class MatchLossParameter(Message):
    eps: float
    penalize: float
    def __init__(self, *, eps: float = ..., penalize: float = ...) -> None: ...

class MatReadParameter(Message):
    prefix: str
    source: str
    strip: int
    batch_size: int
    def __init__(self, *, prefix: str = ..., source: str = ..., strip: int = ...,
        batch_size: int = ...) -> None: ...

class MatWriteParameter(Message):
    prefix: str
    source: str
    strip: int
    period: int
    def __init__(self, *, prefix: str = ..., source: str = ..., strip: int = ...,
        period: int = ...) -> None: ...

class MCWindowDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    fg_threshold: float
    bg_threshold: float
    fg_fraction: float
    context_pad: int
    crop_mode: str
    shuffle: bool
    mask_crop_size: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., fg_threshold: float = ..., bg_threshold: float = ...,
        fg_fraction: float = ..., context_pad: int = ..., crop_mode: str = ..., shuffle: bool = ...,
        mask_crop_size: int = ...) -> None: ...

class MeanLossParameter(Message):
    LossMethod: Enum
    LONE: int
    LTWO: int
    method: int
    def __init__(self, *, method: int | str = ...) -> None: ...

class MeanParameter(Message):
    MeanOperation: Enum
    ADD: int
    SUBTRACT: int
    operation: int
    file: str
    value: Scalars[float]
    mean_scale: float
    input_scale: float
    output_scale: float
    def __init__(self, *, operation: int | str = ..., file: str = ..., value: Iterable[float] = ...,
        mean_scale: float = ..., input_scale: float = ..., output_scale: float = ...) -> None: ...

class MemoryOptimizationParameter(Message):
    optimize_train: bool
    optimize_test: bool
    exclude_blob: Scalars[str]
    def __init__(self, *, optimize_train: bool = ..., optimize_test: bool = ...,
        exclude_blob: Iterable[str] = ...) -> None: ...

class MergeCropParameter(Message):
    MergeOp: Enum
    STACK: int
    ADD: int
    operation: int
    forward: Scalars[bool]
    backward: Scalars[bool]
    def __init__(self, *, operation: int | str = ..., forward: Iterable[bool] = ...,
        backward: Iterable[bool] = ...) -> None: ...

class MergeParameter(Message):
    MergeMethod: Enum
    GLOBAL: int
    LOCAL: int
    SOFT: int
    GROUP: int
    merge_weight: float
    merge: int
    ngroup: int
    def __init__(self, *, merge_weight: float = ..., merge: int | str = ..., ngroup: int = ...) -> None: ...

class MEXParameter(Message):
    num_instances: int
    block_param: BlockParameter
    shared_offsets_region_size: int
    shared_offsets_region_h: int
    shared_offsets_region_w: int
    shared_offsets_region_c: int
    epsilon_filler: FillerParameter
    offsets_filler: FillerParameter
    normalize_patches: bool
    normalization_fudge_factor: float
    normalize_variance: bool
    normalize_offsets: bool
    normalize_offsets_projected: bool
    softmax_mode: bool
    unsupervised_init: UnsupervisedInitialization
    use_log_space_parameters: bool
    linear_space_min_value: float
    use_unshared_regions: bool
    unshared_offsets_region_size: int
    unshared_offsets_region_h: int
    unshared_offsets_region_w: int
    unshared_offsets_region_c: int
    maximum_entropy_regularization_coeff: float
    def __init__(self, *, num_instances: int = ..., block_param: BlockParameter | Fields = ...,
        shared_offsets_region_size: int = ..., shared_offsets_region_h: int = ...,
        shared_offsets_region_w: int = ..., shared_offsets_region_c: int = ...,
        epsilon_filler: FillerParameter | Fields = ..., offsets_filler: FillerParameter | Fields = ...,
        normalize_patches: bool = ..., normalization_fudge_factor: float = ...,
        normalize_variance: bool = ..., normalize_offsets: bool = ...,
        normalize_offsets_projected: bool = ..., softmax_mode: bool = ...,
        unsupervised_init: UnsupervisedInitialization | Fields = ..., use_log_space_parameters: bool = ...,
        linear_space_min_value: float = ..., use_unshared_regions: bool = ...,
        unshared_offsets_region_size: int = ..., unshared_offsets_region_h: int = ...,
        unshared_offsets_region_w: int = ..., unshared_offsets_region_c: int = ...,
        maximum_entropy_regularization_coeff: float = ...) -> None: ...

class MILDataParameter(Message):
    source: str
    num_scales: int
    images_per_batch: int
    channels: int
    n_classes: int
    scale_factor: float
    label_file: str
    root_dir: str
    ext: str
    randomize: bool
    def __init__(self, *, source: str = ..., num_scales: int = ..., images_per_batch: int = ...,
        channels: int = ..., n_classes: int = ..., scale_factor: float = ..., label_file: str = ...,
        root_dir: str = ..., ext: str = ..., randomize: bool = ...) -> None: ...

class MILParameter(Message):
    MILType: Enum
    MAX: int
    NOR: int
    type: int
    def __init__(self, *, type: int | str = ...) -> None: ...

class MinReLUParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    positive_slope: float
    engine: int
    def __init__(self, *, positive_slope: float = ..., engine: int | str = ...) -> None: ...

class MixedPredParameter(Message):
    period: float
    split_num: int
    def __init__(self, *, period: float = ..., split_num: int = ...) -> None: ...

class MixupParameter(Message):
    alpha: float
    cls_num: int
    def __init__(self, *, alpha: float = ..., cls_num: int = ...) -> None: ...

class MLQuantParameter(Message):
    MLQuantMethod: Enum
    SINGLE: int
    NEIGHBOR: int
    groups: int
    method: int
    def __init__(self, *, groups: int = ..., method: int | str = ...) -> None: ...

class MMDParameter(Message):
    kernel_num: int
    kernel_mul: float
    fix_gamma: bool
    def __init__(self, *, kernel_num: int = ..., kernel_mul: float = ..., fix_gamma: bool = ...) -> None: ...

class MnActivationParameter(Message):
    num_nodes_in: int
    num_nodes_out: int
    model_parts_in: int
    model_parts_out: int
    need_reduce: bool
    def __init__(self, *, num_nodes_in: int = ..., num_nodes_out: int = ..., model_parts_in: int = ...,
        model_parts_out: int = ..., need_reduce: bool = ...) -> None: ...

class MnModelParallelParameter(Message):
    layer_from: str
    layer_to: str
    num_nodes: int
    model_parts: int
    def __init__(self, *, layer_from: str = ..., layer_to: str = ..., num_nodes: int = ...,
        model_parts: int = ...) -> None: ...

class MnParamGradCompressLayerTypeList(Message):
    layer_type: Scalars[str]
    def __init__(self, *, layer_type: Iterable[str] = ...) -> None: ...

class MnParamGradCompressParameter(Message):
    param_grad_compress_enable: Scalars[bool]
    def __init__(self, *, param_grad_compress_enable: Iterable[bool] = ...) -> None: ...

class ModuleParameter(Message):
    module: str
    type: str
    creator_symbol: str
    deleter_symbol: str
    param_str: str
    def __init__(self, *, module: str = ..., type: str = ..., creator_symbol: str = ...,
        deleter_symbol: str = ..., param_str: str = ...) -> None: ...

class MOEParameter(Message):
    BottomMapping: Enum
    GATING: int
    EXPERT: int
    GATING_AND_EXPERT: int
    gating_net: NetParameter
    expert_net: Messages[NetParameter]
    expert_instances: Scalars[int]
    select_experts: int
    map_bottom: Scalars[int]
    full_forward: bool
    def __init__(self, *, gating_net: NetParameter | Fields = ...,
        expert_net: Iterable[NetParameter | Fields] = ..., expert_instances: Iterable[int] = ...,
        select_experts: int = ..., map_bottom: Iterable[int | str] = ...,
        full_forward: bool = ...) -> None: ...
